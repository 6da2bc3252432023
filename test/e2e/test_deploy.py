"""Packages, as somebody installs them: the Debian package, what the images are built by, and the sample realm of Keycloak."""

import hashlib
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys

import pytest
import requests
import yaml

from handbook import blocks
from providers import Keycloak, password_of
from world import ROOT, VERA, Gateway, eventually, free_port

DEPLOY = ROOT / "deploy"
HADOLINT = pathlib.Path(sys.executable).parent / "hadolint"
VERSION = (ROOT / "internal/release/version.txt").read_text().strip()
USER = 65532

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root installs packages, and changes the root of a process")


def run(*command, **how):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **how)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def copy_of_sources(to, ignoring=()):
    """Copies what is in the repository, as somebody has who cloned it elsewhere."""
    for name in run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0"):
        if name and (ROOT / name).exists() and not any(name.startswith(prefix) for prefix in ignoring):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    return to


@pytest.fixture(scope="module")
def package():
    [path] = run(ROOT / "scripts/package.sh").splitlines()
    return ROOT / path


@pytest.fixture(scope="module")
def program(package):
    return ROOT / "build/extras/program"


def test_package_has_what_a_debian_package_has(package, tmp_path):
    about = dict(line.split(": ", 1) for line in run("dpkg-deb", "-f", package).splitlines() if re.match(r"[A-Z][\w-]*: ", line))
    arch = run("dpkg", "--print-architecture").strip()
    assert (about["Package"], about["Version"], about["Architecture"]) == ("mlflow-oidc-auth", VERSION, arch)
    assert "adduser" in about["Depends"] and "ca-certificates" in about["Depends"]
    files = {}
    for line in run("dpkg-deb", "-c", package).splitlines():
        mode, owner, _, _, _, name = line.split(maxsplit=5)
        assert owner == "root/root", line
        if not mode.startswith("d"):
            files[name.removeprefix(".")] = mode
    assert files == {
        "/etc/mlflow-oidc-auth/env": "-rw-------", "/usr/bin/mlflow-oidc-auth": "-rwxr-xr-x",
        "/usr/lib/systemd/system/mlflow-oidc-auth.service": "-rw-r--r--",
        "/usr/share/bash-completion/completions/mlflow-oidc-auth": "-rw-r--r--", "/usr/share/doc/mlflow-oidc-auth/copyright": "-rw-r--r--",
        "/usr/share/fish/vendor_completions.d/mlflow-oidc-auth.fish": "-rw-r--r--", "/usr/share/man/man1/mlflow-oidc-auth.1.gz": "-rw-r--r--",
        "/usr/share/zsh/vendor-completions/_mlflow-oidc-auth": "-rw-r--r--"}
    run("dpkg-deb", "-R", package, tmp_path / "all")
    assert (tmp_path / "all/DEBIAN/conffiles").read_text().split() == ["/etc/mlflow-oidc-auth/env"]
    for script in ("postinst", "prerm", "postrm"):
        run("sh", "-n", tmp_path / "all/DEBIAN" / script)
    run("bash", "-n", tmp_path / "all/usr/share/bash-completion/completions/mlflow-oidc-auth")
    licences = (tmp_path / "all/usr/share/doc/mlflow-oidc-auth/copyright").read_text()
    assert all(name in licences for name in ("modernc.org/sqlite", "mousetrap", "@mantine/core", "\nGo: LICENSE\n"))
    assert "mlflow-oidc-auth serve" in run("man", "-l", tmp_path / "all/usr/share/man/man1/mlflow-oidc-auth.1.gz", env=os.environ | {"MANWIDTH": "200"})


def test_the_same_sources_give_the_same_bytes(package, tmp_path):
    """What somebody builds elsewhere, and at another time, is what was released; else nobody could tell what is in a release."""
    elsewhere = copy_of_sources(tmp_path / "else/where")
    os.utime(elsewhere / "LICENSE", (0, 0))
    again = run("./scripts/package.sh", cwd=elsewhere, env=os.environ | {"SOURCE_DATE_EPOCH": run("git", "log", "-1", "--format=%ct", cwd=ROOT).strip()})
    for made in (package, ROOT / "build/extras/program"):
        assert sha256(made) == sha256(elsewhere / made.relative_to(ROOT)), made
    assert (elsewhere / again.strip()).name == package.name


def build_line(dockerfile):
    """Gives the commands that the first stage of an image runs."""
    stage = dockerfile.read_text().split("\nFROM ")[1]
    return [command.replace("\\\n", " ") for command in re.findall(r"^RUN ((?:.*\\\n)*.*)$", stage, re.M)]


def test_each_package_is_built_in_the_same_way():
    release = yaml.safe_load((ROOT / ".goreleaser.yaml").read_text())["builds"][0]
    line = f"go build {' '.join(release['flags'])} -ldflags='{' '.join(release['ldflags'])}' -o "
    assert release["env"] == ["CGO_ENABLED=0"] and "-trimpath" in line
    script = (ROOT / "scripts/program.sh").read_text()
    assert line in script and " CGO_ENABLED=0 " in script
    for file in ("deploy/container/Dockerfile", "deploy/container/Dockerfile.full", "scripts/extras.sh", "scripts/package.sh", "python/hatch_build.py"):
        text = (ROOT / file).read_text()
        assert "scripts/program.sh" in text and "go build" not in text, f"{file} builds in a way of its own"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the linter is not to be had for this processor")
@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.full"])
def test_dockerfiles_have_nothing_that_a_linter_finds(name):
    run(HADOLINT, DEPLOY / "container" / name)


@pytest.fixture(scope="module")
def image(program, tmp_path_factory):
    """Gives the folder that the image of the gateway has for its root: what its commands make of the files that .dockerignore lets through."""
    folder = tmp_path_factory.mktemp("image")
    let_through = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    sources = folder / "src"
    for name in let_through:
        target = sources / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy2)(ROOT / name, target)
    download, build = build_line(DEPLOY / "container/Dockerfile")
    assert download == "go mod download"
    goos, goarch = run("go", "env", "GOHOSTOS", "GOHOSTARCH").split()
    commands = build.replace("/out", str(folder / "out")).replace(" /data", f" {folder}/data")
    run("sh", "-ec", commands, cwd=sources, env=os.environ | {"TARGETOS": goos, "TARGETARCH": goarch})
    data = folder / "out/var/lib/mlflow-oidc-auth"
    data.parent.mkdir(parents=True)
    (folder / "data").rename(data)
    if os.getuid() == 0:
        os.chown(data, USER, USER)  # as COPY --chown does
        for parent in [folder, *folder.parents]:
            if parent.stat().st_uid == 0 and parent != pathlib.Path("/"):
                parent.chmod(parent.stat().st_mode | 0o011)
    return folder / "out"


def test_image_has_the_same_program(image, program):
    assert sha256(image / "usr/bin/mlflow-oidc-auth") == sha256(program)
    names = {str(path.relative_to(image)) for path in image.rglob("*") if not path.is_dir()}
    assert names == {"usr/bin/mlflow-oidc-auth", "usr/share/doc/mlflow-oidc-auth/copyright", "etc/ssl/certs/ca-certificates.crt", "etc/passwd", "etc/group"}


def in_image(image, *command, **settings):
    def enter():
        os.chroot(image)
        os.chdir("/var/lib/mlflow-oidc-auth")
        os.setgroups([])
        os.setgid(USER)
        os.setuid(USER)
    return subprocess.Popen(["/usr/bin/mlflow-oidc-auth", *command], env={"PATH": "/usr/bin"} | settings, preexec_fn=enter,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@needs_root
def test_image_runs_as_nobody_and_writes_into_its_volume_alone(image):
    port = free_port()
    settings = {"LISTEN_ADDR": f"127.0.0.1:{port}", "SECRET_KEY": "k3Jd8sLq0vXz7RtYw2Bn", "MLFLOW_UPSTREAM": f"http://127.0.0.1:{free_port()}", "OIDC_CLIENT_ID": "x",
                "OIDC_CLIENT_SECRET": "y", "OIDC_DISCOVERY_URL": f"http://127.0.0.1:{free_port()}/.well-known/openid-configuration"}

    def written():
        return {str(path.relative_to(image)) for path in image.rglob("*")}

    before = written()
    server = in_image(image, "serve", **settings)
    try:
        def answers():
            assert server.poll() is None, server.stdout.read()
            try:
                return requests.get(f"http://127.0.0.1:{port}/health/live", timeout=5).ok
            except requests.RequestException:
                return False
        eventually(answers, "the gateway answers")
        asked = in_image(image, "health", **settings)
        said = asked.communicate(timeout=30)[0]
        assert asked.returncode == 1 and "not ready: mlflow;" in said, said  # nobody is there, and all else is
    finally:
        server.terminate()
        server.wait(30)
    assert server.returncode == 0
    new = written() - before
    assert "var/lib/mlflow-oidc-auth/auth.db" in new and "var/lib/mlflow-oidc-auth/flask_session" in new
    assert all(name.startswith("var/lib/mlflow-oidc-auth/") for name in new), new
    elsewhere = [path for path in image.rglob("*") if path.is_dir() and path.stat().st_uid == USER and not str(path).startswith(f"{image}/var/lib/mlflow-oidc-auth")]
    assert not elsewhere


def test_unit_is_confined():
    """The number is that of systemd, from 0 for what can do nothing to 100; the default of a service is above 90."""
    run("systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", DEPLOY / "systemd/mlflow-oidc-auth.service")


def test_unit_lets_the_gateway_end_its_mlflow():
    """What is in flight is finished first, and needs MLflow; then MLflow has the same time."""
    unit = (DEPLOY / "systemd/mlflow-oidc-auth.service").read_text()
    said = dict(re.findall(r"^(KillMode|TimeoutStopSec)=(.*)$", unit, re.M))
    grace = int(re.search(r'"SHUTDOWN_GRACE_SECONDS", "(\d+)"', (ROOT / "internal/config/options.go").read_text())[1])
    assert said["KillMode"] == "mixed"  # else systemd tells MLflow to stop together with the gateway
    assert int(said["TimeoutStopSec"]) > 2 * grace


def mlflows_in_deployments():
    """Gives the names by which each MLflow that is behind a gateway lets itself be called."""
    yield yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())["services"]["mlflow"]["environment"]["MLFLOW_SERVER_ALLOWED_HOSTS"], "mlflow:5000"
    for block in blocks(ROOT / "docs/deploy.md"):
        for hosts in re.findall(r"MLFLOW_SERVER_ALLOWED_HOSTS=(\S+)", block.text):
            yield hosts, "mlflow:5000"


def test_mlflows_jobs_reach_their_server():
    """MLflow's jobs call it by what it was told to listen on, and what is not among its names it refuses. MLflow itself is asked."""
    from mlflow.server.security_utils import is_allowed_host_header
    command = json.loads(re.search(r'^CMD (\["mlflow", "server".*)$', (DEPLOY / "container/Dockerfile.full").read_text(), re.M)[1])
    own = f"{command[command.index('--host') + 1]}:{command[command.index('--port') + 1]}"
    found = list(mlflows_in_deployments())
    assert len(found) == 2
    for hosts, upstream in found:
        allowed = [host.strip() for host in hosts.split(",")]  # as get_allowed_hosts_from_env does
        for name, taken in {own: True, upstream: True, "elsewhere.example.com": False, "localhost:5000": False}.items():
            assert is_allowed_host_header(allowed, name) is taken, f"{name}, with {hosts}"


@pytest.fixture
def on_machine(tmp_path):
    """Runs commands on this machine once more, in a folder: what is installed there is installed nowhere else."""
    space = tmp_path / "machine"
    space.mkdir()
    # systemd runs there, as far as a script can tell, and what it is told is written down. The service does not start: nothing is set.
    stand_in = """#!/bin/sh
echo "$@" >>/run/told
[ "$1" != try-restart ]
"""
    made = f"""mount -t tmpfs tmpfs {space} && cd {space} && mkdir upper work root
        mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
        mount -t proc proc root/proc && mount --bind /dev root/dev && mount -t tmpfs tmpfs root/run
        mkdir -p root/run/systemd/system && rm -f root/usr/bin/systemctl && cat >root/usr/bin/systemctl && chmod 755 root/usr/bin/systemctl && echo ready && exec sleep infinity"""
    holding = subprocess.Popen(["unshare", "--mount", "sh", "-ec", made], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with holding.stdin:
        holding.stdin.write(stand_in)
    said = holding.stdout.readline()
    assert said == "ready\n", said + holding.stdout.read()

    def on(command, to=0, given=b""):
        done = subprocess.run(["nsenter", "--mount", "--target", str(holding.pid), "chroot", space / "root", "sh", "-ec", command], input=given,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == to, f"{command}: {done.stdout.decode()}"
        return done.stdout.decode()
    try:
        yield on
    finally:
        holding.kill()
        holding.wait()


@needs_root
def test_package_is_installed_changed_and_purged(package, on_machine):
    env = "/etc/mlflow-oidc-auth/env"
    on_machine("cat >/it.deb", given=package.read_bytes())

    def told():
        return on_machine("cat /run/told; : >/run/told").splitlines()

    assert "fill in /etc/mlflow-oidc-auth/env" in on_machine("dpkg -i /it.deb")
    assert told() == ["daemon-reload", "try-restart mlflow-oidc-auth.service"]
    assert on_machine("mlflow-oidc-auth --version") == f"mlflow-oidc-auth version {VERSION}\n"
    assert "(mlflow-oidc-auth)" in on_machine("id mlflow-oidc-auth")
    assert on_machine(f"stat -c '%U %a' {env}") == "root 600\n"
    assert "Permission denied" in on_machine(f"runuser -u mlflow-oidc-auth -- cat {env}", to=1)  # systemd reads it before it is that user
    on_machine("systemd-analyze verify --man=no mlflow-oidc-auth.service")
    # What has to be filled in stops the start, with words that say so; with it the settings are complete.
    said = on_machine(f"set -a; . {env}; runuser -u mlflow-oidc-auth -- mlflow-oidc-auth serve", to=1)
    assert "SECRET_KEY is not set" in said and "OIDC_DISCOVERY_URL is not set" in said
    filled = "; ".join(["s/^SECRET_KEY=/&k3Jd8sLq0vXz7RtYw2Bn/", "s/^OIDC_CLIENT_ID=/&x/", "s/^OIDC_CLIENT_SECRET=/&y/",
                        "s#^OIDC_DISCOVERY_URL=#&https://idp.example.com/.well-known/openid-configuration#"])
    on_machine(f"sed -i '{filled}' {env}")
    assert "ok    settings    complete" in on_machine(f"set -a; . {env}; mlflow-oidc-auth doctor", to=1)  # nobody is at the addresses

    on_machine("mkdir -p /var/lib/mlflow-oidc-auth; touch /var/lib/mlflow-oidc-auth/auth.db")
    assert "fill in" not in on_machine("dpkg -i /it.deb")
    assert told() == ["daemon-reload", "daemon-reload", "try-restart mlflow-oidc-auth.service"]  # and it is not stopped before
    assert "SECRET_KEY=k3Jd8sLq0vXz7RtYw2Bn" in on_machine(f"cat {env}")
    on_machine("dpkg -r mlflow-oidc-auth; test ! -e /usr/bin/mlflow-oidc-auth; test -e " + env)
    assert told() == ["disable --now mlflow-oidc-auth.service", "daemon-reload"]
    assert "holds the users" in on_machine("dpkg -P mlflow-oidc-auth")
    assert told() == ["daemon-reload"]
    on_machine("test ! -e /etc/mlflow-oidc-auth; test -e /var/lib/mlflow-oidc-auth/auth.db")


@pytest.mark.parametrize("provider", [Keycloak])
def test_sample_realm_signs_people_in(provider, world, page, tmp_path):
    """The realm of deploy/compose in a real Keycloak, and the gateway with the settings that compose.yaml gives it."""
    from conftest import keycloak
    keycloak.root = f"http://localhost:{keycloak.port}"
    keycloak.await_answer(keycloak.root + "/realms/master", 300)
    settings = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())["services"]["gateway"]["environment"]
    taken = {name: settings[name] for name in ("OIDC_CLIENT_ID", "OIDC_GROUP_NAME", "OIDC_ADMIN_GROUP_NAME", "OIDC_USE_REFRESH_TOKEN")}
    assert settings["OIDC_DISCOVERY_URL"].endswith("/realms/mlflow/.well-known/openid-configuration")
    taken |= {"OIDC_DISCOVERY_URL": keycloak.root + "/realms/mlflow/.well-known/openid-configuration", "OIDC_CLIENT_SECRET": "of the client"}
    gateway = Gateway(world, tmp_path, taken)
    try:
        text = (DEPLOY / "compose/keycloak/realm.json").read_text()
        for name, value in {"MLFLOW_URL": gateway.url, "MLFLOW_CLIENT_SECRET": "of the client", "SAMPLE_PASSWORD": password_of(VERA)}.items():
            assert "${" + name + "}" in text
            text = text.replace("${" + name + "}", value)
        assert "${" not in text
        keycloak.ask("POST", "", json.loads(text) | {"sslRequired": "none"})  # Keycloak has no certificate here
        page.goto(gateway.url + "/login/start?next=/auth/status")
        keycloak.enter(page, VERA)
        page.wait_for_url(gateway.url + "/auth/status")
        said = page.context.request.get(gateway.url + "/api/2.0/mlflow/users/current").json()
        assert (said["username"], said["is_admin"]) == (VERA, False)
        assert {group["group_name"] for group in said["groups"]} == {"/mlflow", "/teams/vision"}
    finally:
        gateway.end()


def test_sample_realm_has_the_client_of_the_documentation():
    [client] = json.loads((DEPLOY / "compose/keycloak/realm.json").read_text())["clients"]
    said = json.loads((ROOT / "docs/keycloak-client.json").read_text().replace("https://HOST", "${MLFLOW_URL}"))
    assert client == said | {"secret": "${MLFLOW_CLIENT_SECRET}"}
