"""Credentials that are wrong end in an error that a person understands."""

import datetime

import pytest
from mlflow.exceptions import MlflowException

from world import ADA, FRED, VERA, eventually


def refused(world, username, token=None):
    with world.acting(username, token) as client:
        with pytest.raises(MlflowException) as raised:
            client.search_experiments()
    return raised.value.get_http_status_code(), raised.value.message


WRONG = (401, "UNAUTHENTICATED: the username or token is wrong, or has expired")


def test_wrong_token(world):
    assert refused(world, VERA, "mlo_wrong") == WRONG


def test_anothers_token(world):
    """The token of one person is not good under the name of another."""
    assert refused(world, ADA, world.tokens[FRED]) == WRONG


def test_unknown_person(world):
    assert refused(world, "mallory@example.com", "mlo_wrong") == WRONG


def test_no_token(world):
    status, message = refused(world, None)
    assert status == 401
    assert "MLFLOW_TRACKING_USERNAME" in message


def test_expired_token(world):
    name = "brief@example.com"
    made = world.ask(ADA, "POST", "/api/2.0/mlflow/users", json={"username": name, "display_name": "Brief"})
    assert made.status_code == 201, made.text
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=4)
    secret = world.new_token(name, expiration=soon.isoformat())
    with world.acting(name, secret) as client:
        client.search_experiments()
        eventually(lambda: datetime.datetime.now(datetime.UTC) > soon, "the token's time is up")
    assert refused(world, name, secret) == WRONG


def test_token_makes_no_token(world):
    """Who stole a token must not make another that outlives it."""
    for body in ({}, {"username": FRED}):
        made = world.ask(ADA, "PATCH", "/api/2.0/mlflow/users/access-token", json=body)
        assert (made.status_code, made.json()["error_code"]) == (403, "PERMISSION_DENIED")


def test_new_token_ends_the_one_before(world):
    name = "renewed@example.com"
    assert world.ask(ADA, "POST", "/api/2.0/mlflow/users", json={"username": name, "display_name": "Renewed"}).status_code == 201
    first, second = (world.new_token(name) for _ in range(2))
    with world.acting(name, second) as client:
        client.search_experiments()
    assert refused(world, name, first) == WRONG
