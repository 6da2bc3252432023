"""Puts the token of a sign-in on requests, for the server that it is for and no other."""

import requests

from mlflow_oidc_auth_client.credentials import SignInError, within


class Auth(requests.auth.AuthBase):
    """What mlflow hands to requests for each request that it sends."""

    def __init__(self, credentials):
        self.credentials = credentials

    def __call__(self, request):
        if "Authorization" in request.headers:  # somebody gave a credential for this very request
            return request
        server = self.credentials.server(request.url)
        if server is None:
            raise SignInError(f"You are not signed in at the server of {request.url.split('?')[0]}. "
                              "Run: mlflow-oidc-auth login with its address, as MLFLOW_TRACKING_URI has it")
        token = self.credentials.token(server)
        request.headers["Authorization"] = f"Bearer {token}"
        request.register_hook("response", lambda answer, **how: self._refused(server, token, answer, how))
        return request

    def _refused(self, server, token, answer, how):
        """Tries once more where the token was refused: another process may have renewed it. Where it was revoked, that is said."""
        request = answer.request
        if answer.status_code != 401 or request.headers.get("Authorization") != f"Bearer {token}" or not within(request.url, server):
            return answer
        renewed = self.credentials.token(server, instead_of=token)
        if request.body is not None and not isinstance(request.body, (bytes, str)):  # a stream that was read
            return answer
        answer.content  # noqa: B018 (so that the connection can be used again)
        answer.close()
        again = request.copy()
        again.headers["Authorization"] = f"Bearer {renewed}"
        second = answer.connection.send(again, **how)
        second.history.append(answer)
        second.request = again
        return second
