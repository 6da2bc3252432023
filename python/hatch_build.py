"""Puts the program into the wheel, for the platform of WHEEL_PLATFORM or of this machine, with the licences of what it is built of."""

import os
import pathlib
import subprocess
import tempfile

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = pathlib.Path(__file__).resolve().parents[1]

# By Go's name of a platform: the tags of wheels that are for it. The program needs no C library, and macOS 12 by Go's own word.
TAGS = {
    "linux/amd64": "manylinux2014_x86_64.manylinux_2_17_x86_64.musllinux_1_1_x86_64",
    "linux/arm64": "manylinux2014_aarch64.manylinux_2_17_aarch64.musllinux_1_1_aarch64",
    "darwin/amd64": "macosx_12_0_x86_64",
    "darwin/arm64": "macosx_12_0_arm64",
    "windows/amd64": "win_amd64",
}


class CustomBuildHook(BuildHookInterface):
    """The hook by the name that hatchling looks for."""

    def initialize(self, version, build_data):
        if self.target_name != "wheel":
            raise RuntimeError("only wheels can be built: the program is not made of what is in this folder alone")
        if version == "editable":
            raise RuntimeError("this package has no editable form: pip install it without -e")
        platform = os.environ.get("WHEEL_PLATFORM") or self._this_machine()
        if platform not in TAGS:
            raise RuntimeError(f"there is no wheel for {platform}, only for {', '.join(TAGS)}")
        name = "mlflow-oidc-auth.exe" if platform.startswith("windows") else "mlflow-oidc-auth"
        self.folder = tempfile.TemporaryDirectory()
        program, licences = (pathlib.Path(self.folder.name) / file for file in (name, "THIRD_PARTY_LICENSES.txt"))
        self._run("scripts/program.sh", program, *platform.split("/"))
        licences.write_text(self._run("scripts/licences.sh"), encoding="utf-8")
        build_data["shared_scripts"] = {str(program): name}
        build_data["extra_metadata"] = {str(licences): licences.name}
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{TAGS[platform]}"

    def finalize(self, version, build_data, artifact_path):
        self.folder.cleanup()

    def _run(self, command, *arguments):
        return subprocess.run([ROOT / command, *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout

    def _this_machine(self):
        try:
            return "/".join(subprocess.run(["go", "env", "GOHOSTOS", "GOHOSTARCH"], check=True, capture_output=True, text=True).stdout.split())
        except FileNotFoundError as problem:
            raise RuntimeError("Go is needed on PATH to build the program") from problem
