"""python -m mlflow_oidc_auth is the command mlflow-oidc-auth of this environment."""

import os
import subprocess
import sys

from mlflow_oidc_auth import program


def main():
    arguments = [program(), *sys.argv[1:]]
    if os.name == "nt":  # exec there ends this process while the other goes on
        sys.exit(subprocess.call(arguments))
    os.execv(arguments[0], arguments)


main()
