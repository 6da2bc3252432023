package policy

import "github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"

const (
	servers   = "/api/3.0/mlflow/mcp-servers"
	oneServer = servers + "/{namespace}/{slug}"
)

var serverName = segment("namespace", "slug")

// mcpServers are the routes of the registry of MCP servers. A server's name is two segments of the path; its versions,
// aliases, tags and access endpoints are its own, and lead to no other server's. MLflow reads {name:path} greedily, so that
// a name which is a word of its paths would be another route to it.
var mcpServers = []Route{
	get(servers).signedIn(ownRows).filter(ListMCPServers),
	post(servers).creates(kind.MCPServer).effect(GrantMCPServer),
	get(servers + "/endpoints").signedIn(ownRows).filter(ListMCPEndpoints),

	get(oneServer, on(MCPServer, serverName, kind.Read)),
	patch(oneServer, on(MCPServer, serverName, kind.Edit)),
	remove(oneServer, on(MCPServer, serverName, kind.Manage)).content(NoBody).effect(DropMCPServer),

	get(oneServer+"/versions", on(MCPServer, serverName, kind.Read)),
	post(oneServer+"/versions", on(MCPServerOrNew, serverName, kind.Edit)).effect(GrantNewServer),
	get(oneServer+"/versions/{version}", on(MCPServer, serverName, kind.Read)).check(NoRouteWord),
	patch(oneServer+"/versions/{version}", on(MCPServer, serverName, kind.Edit)).check(NoRouteWord, StatusDeleted),
	remove(oneServer+"/versions/{version}", on(MCPServer, serverName, kind.Manage)).content(NoBody).check(NoRouteWord),
	post(oneServer+"/versions/{version}/tags", on(MCPServer, serverName, kind.Edit)).check(NoRouteWord),
	remove(oneServer+"/versions/{version}/tags/{key*}", on(MCPServer, serverName, kind.Manage)).content(NoBody).check(NoRouteWord),

	post(oneServer+"/aliases", on(MCPServer, serverName, kind.Edit)),
	get(oneServer+"/aliases/{alias*}", on(MCPServer, serverName, kind.Read)).check(NoRouteWord),
	remove(oneServer+"/aliases/{alias*}", on(MCPServer, serverName, kind.Manage)).content(NoBody).check(NoRouteWord),

	post(oneServer+"/tags", on(MCPServer, serverName, kind.Edit)),
	remove(oneServer+"/tags/{key*}", on(MCPServer, serverName, kind.Manage)).content(NoBody).check(NoRouteWord),

	get(oneServer+"/endpoints", on(MCPServer, serverName, kind.Read)),
	post(oneServer+"/endpoints", on(MCPServer, serverName, kind.Edit)),
	get(oneServer+"/endpoints/{endpoint_id}", on(MCPServer, serverName, kind.Read)).check(NoRouteWord),
	patch(oneServer+"/endpoints/{endpoint_id}", on(MCPServer, serverName, kind.Edit)).check(NoRouteWord),
	remove(oneServer+"/endpoints/{endpoint_id}", on(MCPServer, serverName, kind.Manage)).content(NoBody).check(NoRouteWord),
}
