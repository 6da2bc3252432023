package policy

// MLflow's UI reads runs and experiments by it.
var graphQL = []Route{
	post("/graphql").signedIn("every field of the operation is decided").filter(GraphQLFields),
	get("/graphql").refused("MLflow executes the body of a GET"),
}
