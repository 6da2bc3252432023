"""Lets the mlflow client use a sign-in of `mlflow-oidc-auth login` (MLFLOW_TRACKING_AUTH=oidc)."""

import os

from mlflow.tracking.request_auth.abstract_request_auth_provider import RequestAuthProvider

from mlflow_oidc_auth_client.auth import Auth
from mlflow_oidc_auth_client.credentials import Credentials, SignInError, default_path

__all__ = ["Auth", "Credentials", "Provider", "SignInError"]

_shared = {}  # by file and profile: what was read once need not be read again


class Provider(RequestAuthProvider):
    """The entry point that mlflow finds by its name."""

    def get_name(self):
        return "oidc"

    def get_auth(self):
        at = default_path(), os.environ.get("MLFLOW_OIDC_PROFILE", "")
        return _shared.setdefault(at, Auth(Credentials(*at)))
