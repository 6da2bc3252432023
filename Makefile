# What is done often, by name. `make` lists it.

.DEFAULT_GOAL := help
.PHONY: help build dev test lint lint-all vuln bench docs web generate wheel package

help: ## list this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the programs into bin/
	go build -o bin/ ./cmd/...

dev: ## run the gateway with MLflow, an identity provider and sample people
	./scripts/run-dev-server.sh

test: ## run what continuous integration runs, all of it
	./scripts/test.sh

lint: ## look at the source with linters
	./scripts/lint.sh

lint-all: ## the same linters by golangci-lint itself, which takes minutes to build
	./scripts/lint.sh --all

vuln: ## look whether what is used has known vulnerabilities
	./scripts/vuln.sh

bench: ## measure what a request costs beside a bare reverse proxy
	./scripts/bench.sh

docs: ## build the documentation into build/site
	./scripts/docs.sh

web: ## build the web pages into internal/ui/dist
	./scripts/web.sh

generate: ## write what is generated in docs/ anew
	go test ./internal/app ./internal/api ./cmd/mlflow-oidc-auth -run TestDocs -update

wheel: ## build the Python package with the program into build/wheels
	./scripts/wheel.sh

package: ## build the Debian package into build/packages
	./scripts/package.sh
