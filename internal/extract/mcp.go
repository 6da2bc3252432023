package extract

import "strings"

// RouteWords counts the segments of a path that are words of the paths of MCP servers. MLflow cuts at the last of them that
// fits, and so a name that is one of them would be read as a part of the path.
func RouteWords(path string) int {
	words := 0
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "aliases", "endpoints", "tags", "versions":
			words++
		}
	}
	return words
}

// serverName tells whether the text can be the name of an MCP server to MLflow (mlflow/entities/mcp_server.py,
// validate_mcp_server_name), which allows a namespace that is a word of its paths.
func serverName(name string) bool {
	namespace, slug, _ := strings.Cut(name, "/")
	return len(name) <= 256 && RouteWords(name) == 0 && serverPart(namespace, ".-") && serverPart(slug, "._-")
}

// serverPart tells whether the text has two or more letters and digits of ASCII, and between them also the given ones.
func serverPart(part, between string) bool {
	for i := range len(part) {
		c := part[i]
		plain := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		inside := 0 < i && i < len(part)-1 && strings.IndexByte(between, c) >= 0
		if !plain && !inside {
			return false
		}
	}
	return len(part) > 1
}
