"""Puts the program into the wheel: builds it for the platform of WHEEL_PLATFORM, or of this machine, by Go."""

import os
import pathlib
import subprocess
import tempfile

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = pathlib.Path(__file__).resolve().parents[1]

LICENCES = ("LICENSE", "LICENCE", "COPYING", "NOTICE")
PROGRAM = "./cmd/mlflow-oidc-auth"

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

    environment = None  # of Go; the one of this process until the platform is known

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
        system, processor = platform.split("/")
        self.environment = os.environ | {"CGO_ENABLED": "0", "GOOS": system, "GOARCH": processor, "GOAMD64": "v1", "GOARM64": "v8.0", "GOFLAGS": ""}
        # Nothing of where and when it is built, so that the same sources give the same bytes.
        self._go("build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", program, PROGRAM)
        licences.write_text(self._licences(), encoding="utf-8")
        build_data["shared_scripts"] = {str(program): name}
        build_data["extra_metadata"] = {str(licences): licences.name}
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{TAGS[platform]}"

    def finalize(self, version, build_data, artifact_path):
        self.folder.cleanup()

    def _go(self, *arguments):
        try:
            return subprocess.run(["go", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, env=self.environment).stdout
        except FileNotFoundError as problem:
            raise RuntimeError("Go is needed on PATH to build the program") from problem

    def _this_machine(self):
        return "/".join(self._go("env", "GOHOSTOS", "GOHOSTARCH").split())

    def _licences(self):
        """Gives the licences of all that the program is built of, which ask to go along with it."""
        modules = {"Go": self._go("env", "GOROOT").strip()}
        module = "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}"
        for line in self._go("list", "-deps", "-f", module, PROGRAM).splitlines():
            name, _, folder = line.partition("\t")
            if name:
                modules[name] = folder
        texts = []
        for name, folder in sorted(modules.items()):
            found = sorted(path for path in pathlib.Path(folder).iterdir() if path.is_file() and path.name.upper().startswith(LICENCES))
            if not found and name != "Go":  # some packagers of Go keep it elsewhere
                raise RuntimeError(f"{name} has no licence in {folder}")
            texts += [f"{name}: {path.name}\n\n{path.read_text(encoding='utf-8')}\n{'-' * 80}\n" for path in found]
        return "\n".join(texts)
