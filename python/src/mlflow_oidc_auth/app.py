"""What `mlflow server --app-name oidc-auth` finds: the gateway in place of MLflow's own command, and never an app.

MLflow looks an app up before it starts to serve. Whoever asks for this one, in MLflow's command, becomes the gateway, which starts MLflow
behind itself. Everybody else gets an error: an app that is served past the gateway would be open to all.
"""

import os
import shlex
import signal
import subprocess
import sys

from mlflow_oidc_auth import NotInstalledError, command, program

NAME = "oidc-auth"

# Options of `mlflow server` that are for the gateway itself.
OURS = {"app_name", "host", "port", "enable_workspaces"}

# Options that say how MLflow is served, and what to do in their place.
REFUSED = {
    "uvicorn_opts": "Where uvicorn serves TLS, set TLS_CERT_FILE and TLS_KEY_FILE; behind a proxy, TRUSTED_PROXIES.",
    "gunicorn_opts": "Leave it out: there is no gunicorn, and answers may take as long as they do.",
    "waitress_opts": "Leave it out: there is no waitress.",
    "dev": "Leave it out.",
}

# Options that nothing has to be done about, and why.
NEEDLESS = {
    "allowed_hosts": "the gateway alone reaches MLflow, and asks everybody who they are; PUBLIC_URL is for the address that people use",
    "cors_allowed_origins": "the pages that the gateway serves need none, with PUBLIC_URL set to their address, and those of other sites are refused",
}

# What MLflow's command has set for its own process by now, and sets again when the gateway starts it.
SET_BY_MLFLOW = {"MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"}


class NoAppError(RuntimeError):
    """Says that there is no app to be served."""


def __getattr__(name):
    """Finds `app`, as MLflow does. It never gives one."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    context = of_mlflow()
    if context is None:
        raise NoAppError("mlflow-oidc-auth is no app that a server of Python can serve: it is a gateway in front of MLflow. "
                         "Start it by `mlflow-oidc-auth serve`, or by `mlflow server --app-name oidc-auth`.")
    become_gateway(context)


def of_mlflow():
    """Gives click's context of `mlflow server --app-name oidc-auth`; None where this is something else."""
    cli, click = sys.modules.get("mlflow.cli"), sys.modules.get("click")
    context = click.get_current_context(silent=True) if cli and click else None
    if context is None or context.command is not getattr(cli, "server", None) or context.params.get("app_name") != NAME:
        return None
    return context


def become_gateway(context):
    """Replaces this process by the gateway, with MLflow behind it. It does not return."""
    import click

    if os.name != "posix":
        raise click.ClickException("on Windows the gateway starts no MLflow of its own. Start MLflow for this machine alone, "
                                   "`mlflow server --host 127.0.0.1 --port 5001` and its other options, and then the gateway: "
                                   "set MLFLOW_UPSTREAM=http://127.0.0.1:5001, and run `mlflow-oidc-auth serve`")
    try:
        gateway = program()
        arguments, environment = arguments_of(context), environment_of(context, gateway)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, which whoever is started would inherit
        os.execve(gateway, [gateway, "serve", "--", *arguments], environment)
    except (NotInstalledError, OSError) as problem:
        raise click.ClickException(f"the gateway cannot be started: {problem}") from problem


def arguments_of(context):
    """Gives what was on the command line for MLflow itself. What the environment says reaches it by the environment."""
    import click

    arguments = []
    for option in context.command.params:
        value, spelled = context.params.get(option.name), max(option.opts, key=len)
        if option.name in REFUSED and value not in (None, False):
            given = option.envvar if came_from(context, option.name) == "ENVIRONMENT" else spelled
            raise click.UsageError(f"{given} cannot be used with --app-name {NAME}: the gateway serves, and MLflow behind it, where the gateway "
                                   f"alone reaches it. {REFUSED[option.name]} The gateway's own command for the rest is: {instead(context)}")
        if option.name in OURS or not typed(context, option.name):
            continue
        if option.name in NEEDLESS:
            click.echo(f"mlflow-oidc-auth: {spelled} is left out: {NEEDLESS[option.name]}.", err=True)
        elif option.is_flag:
            arguments.append(spelled if value else max(option.secondary_opts, key=len))
        else:
            arguments += [f"{spelled}={one}" for one in (value if option.multiple else [value])]
    return arguments


def instead(context):
    """Gives the gateway's own command for the same. Addresses may hold passwords: of what was given, only the names."""
    others = OURS | REFUSED.keys() | NEEDLESS.keys()
    rest = [f"{max(o.opts, key=len)} …" for o in context.command.params if typed(context, o.name) and o.name not in others]
    return " ".join([f"LISTEN_ADDR={shlex.quote(address(context))} mlflow-oidc-auth serve", *(["--", *rest] if rest else [])])


def typed(context, name):
    """Tells whether an option was on the command line."""
    return came_from(context, name) == "COMMANDLINE"


def came_from(context, name):
    source = context.get_parameter_source(name)
    return source.name if source else ""


def address(context):
    host, port = context.params["host"], context.params["port"]
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def environment_of(context, gateway):
    """Gives the gateway's environment: this one, and what MLflow's command line says of it."""
    environment = {name: value for name, value in os.environ.items() if name not in SET_BY_MLFLOW}
    if not typed(context, "enable_workspaces") and not context.params.get("enable_workspaces"):
        environment.pop("MLFLOW_ENABLE_WORKSPACES", None)  # MLflow has just set it to false; the file .env may say something
    unset = not_set(gateway, environment)
    if typed(context, "host") or typed(context, "port") or "LISTEN_ADDR" in unset:
        environment["LISTEN_ADDR"] = address(context)
    if "MLFLOW_COMMAND" in unset:
        environment["MLFLOW_COMMAND"] = command("mlflow")
    return environment


def not_set(gateway, environment):
    """Gives the settings that neither the environment nor the file .env says anything of, by the gateway's own reading."""
    import click

    read = subprocess.run([gateway, "config"], env=environment, capture_output=True, text=True, check=False)
    if read.returncode != 0:
        raise click.ClickException("the gateway does not start with these settings:\n" + read.stderr.strip())
    return {line.split("=", 1)[0] for line in read.stdout.splitlines() if line.endswith("  # default")}
