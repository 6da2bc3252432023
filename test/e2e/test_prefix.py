"""Full mode with an MLflow that serves everything below a path: in a browser, and with the client."""

import re

import pytest
from playwright.sync_api import expect

from browser import chromium, opened  # noqa: F401 (a fixture)
from world import VERA, World, free_port


@pytest.fixture(scope="module")
def below(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("below"))
    try:
        world.start(f"127.0.0.1:{free_port()}", MLFLOW_STATIC_PREFIX="/ml/flow")
        assert world.url.endswith("/ml/flow")
        yield world
    finally:
        if world.process.poll() is None:
            assert world.stop() == (0, [])


def test_ui_below_a_path(below, chromium):  # noqa: F811
    with opened(chromium) as page:
        answers = []
        page.on("response", lambda answer: answers.append((answer.status, answer.url)))
        page.goto(below.url.removesuffix("/ml/flow") + "/")
        page.get_by_role("link", name="Sign in with the development provider").click()
        page.get_by_role("button", name=re.compile("Vera Vision")).click()
        page.goto(below.url + "/#/experiments")
        page.get_by_role("link", name="vision/digits").click()
        expect(page.get_by_text("forecast/demand")).to_have_count(0)
        page.wait_for_timeout(2000)  # what the page asks for
        assert {cookie["path"].rstrip("/") for cookie in page.context.cookies()} == {"/ml/flow"}
        page.locator("mlflow-oidc-auth-menu button").first.click()
        leads = page.locator("mlflow-oidc-auth-menu").get_by_text("Permissions of this experiment")
        expect(leads).to_have_attribute("href", re.compile("^/ml/flow/oidc/ui/resources/experiment/[0-9]+$"))
        leads.click()
        expect(page.get_by_role("heading", level=2, name="vision/digits")).to_be_visible()
        page.goto(below.url + "/logout")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(re.compile(re.escape(below.url) + r"/login\?state="))
        assert page.context.cookies() == []
        ours = [(status, url) for status, url in answers if below.url in url]
        assert [answer for answer in ours if answer[0] >= 400 and "/assistant/" not in answer[1] and "gateway-proxy" not in answer[1]] == []


def test_client_below_a_path(below):
    with below.acting(VERA) as client:
        experiment = client.get_experiment_by_name("vision/digits")
        run = client.create_run(experiment.experiment_id).info.run_id
        client.log_text(run, "below", "text.txt")
        assert [file.path for file in client.list_artifacts(run)] == ["text.txt"]
        assert client.get_experiment_by_name("forecast/demand") is None
