module github.com/mlflow-oidc/mlflow-oidc-auth/faulty

go 1.26.0
