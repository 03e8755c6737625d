#!/usr/bin/env python3
"""Checks the files of this folder against the program, as far as that goes without Docker, Kubernetes and systemd:

    deploy/check.py build/release/sensorium

Flags that they pass exist, probes ask routes that there are and that need no key, times for ending are longer than the program's own,
what the image copies is there, and the packages of its second stage hold every library that the program is linked with. Where the Python
package kubernetes-validate is installed, the manifest is held against the schemas of Kubernetes' API. Prints what is wrong; exit code 1
then, 77: python3-yaml is not installed.
"""
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

try:
    import yaml
except ImportError:
    print("not installed: python3-yaml")
    sys.exit(77)
try:
    import kubernetes_validate
except ImportError:
    kubernetes_validate = None

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
PROGRAM = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build/release/sensorium")
faults = []


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def require(holds, message):
    if not holds:
        faults.append(message)


HELP = output(PROGRAM, "serve", "--help")
FLAGS = set(re.findall(r"--[a-z][a-z0-9-]*", HELP))
GRACE_S = int(re.search(r"--grace .*=(\d+)", HELP).group(1))
PATHS = json.loads(output(PROGRAM, "serve", "--describe", "openapi"))["paths"]


def check_flags(where, arguments):
    for argument in arguments:
        flag = argument.split("=")[0]
        require(not flag.startswith("--") or flag in FLAGS, f"{where}: `sensorium serve` has no {flag}")


def logical_lines(text):
    """Without comments, continued lines joined."""
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    return [line.strip() for line in re.sub(r"\\\n", " ", kept).splitlines() if line.strip()]


def check_dockerfile():
    instructions = [line.split(None, 1) for line in logical_lines((HERE / "Dockerfile").read_text())]
    known = {"FROM", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD", "ENV", "WORKDIR", "ARG"}
    values = {}
    for name, value in instructions:
        require(name in known, f"Dockerfile: {name} is no instruction")
        values.setdefault(name, []).append(value)
        if name == "COPY" and not value.startswith("--from"):
            for source in value.split()[:-1]:
                require((ROOT / source).exists(), f"Dockerfile: COPY of {source}, which is not there")
    for name in ("ENTRYPOINT", "CMD"):
        check_flags(f"Dockerfile: {name}", json.loads(values[name][-1]))
    entry = json.loads(values["ENTRYPOINT"][-1])
    port = entry[entry.index("--port") + 1]
    require(values["EXPOSE"] == [port], f"Dockerfile: EXPOSE {values['EXPOSE']}, but the program listens on {port}")
    probe = json.loads(values["HEALTHCHECK"][-1].split(None, 1)[1])
    require(f"/{port} " in probe[-1], "Dockerfile: HEALTHCHECK asks another port")
    check_probe("Dockerfile: HEALTHCHECK", re.search(r"GET (\S+)", probe[-1]).group(1))
    require("setup.sh" in values["RUN"][0], "Dockerfile: the first stage does not install what the build needs")
    check_libraries(" ".join(values["RUN"]))


def check_probe(where, path):
    route = PATHS.get(path, {}).get("get")
    require(route is not None and "security" not in route, f"{where}: {path} is no route that needs no key")


def query(*arguments):
    """What dpkg knows; the exit code says only that something is not known."""
    return subprocess.run(["dpkg-query", *arguments], capture_output=True, text=True, check=False).stdout


def check_libraries(commands):
    """Debian's packages of the libraries that the program is linked with are named, or come with others that are."""
    if shutil.which("dpkg-query") is None:
        return
    needs = {}
    for line in query("-W", "-f", "${Package}\\t${Depends}, ${Pre-Depends}\\n").splitlines():
        package, depends = line.split("\t")
        needs[package] = [re.split(r"[ :(]", part.strip())[0] for part in re.split(r"[,|]", depends) if part.strip()]
    # Of every Debian image, or needed by any library in C++.
    reached, queue = set(), ["libc6", "libstdc++6", "libgcc-s1", *re.findall(r"[a-z0-9][a-z0-9.+-]+", commands)]
    while queue:
        package = queue.pop()
        if package not in reached:
            reached.add(package)
            queue += needs.get(package, [])
    libraries = [line.split("=>")[-1].split("(")[0].strip() for line in output("ldd", PROGRAM).splitlines()]
    # A package may have been installed under /lib, which is /usr/lib today.
    names = {library: {library, str(pathlib.Path(library).resolve()), library.removeprefix("/usr"), "/usr" + library}
             for library in libraries if library.startswith("/")}
    owners = {}
    for line in query("-S", *set().union(*names.values())).splitlines():
        packages, path = line.rsplit(": ", 1)
        owners[path] = packages.split(":")[0]
    for library, paths in names.items():
        owner = next((owners[path] for path in paths if path in owners), "the package")
        require(owner in reached, f"Dockerfile: the second stage lacks {owner} of {library}")


def check_kubernetes():
    documents = list(yaml.safe_load_all((HERE / "kubernetes.yaml").read_text()))
    for document in documents if kubernetes_validate else []:
        try:
            kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
        except kubernetes_validate.ValidationError as error:
            require(False, f"kubernetes.yaml: {document['kind']}: {error.message}")
    kinds = {document["kind"]: document for document in documents}
    missing = {"Deployment", "Service", "PersistentVolumeClaim"} - set(kinds)
    require(not missing, f"kubernetes.yaml: no {', '.join(sorted(missing))}")
    if missing:
        return
    spec = kinds["Deployment"]["spec"]
    pod = spec["template"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    require(spec["selector"]["matchLabels"] == labels, "kubernetes.yaml: the selector is not that of the pods")
    require(kinds["Service"]["spec"]["selector"] == labels, "kubernetes.yaml: the service selects other pods")
    require(spec["replicas"] >= 2, "kubernetes.yaml: one replica alone")
    require(pod["terminationGracePeriodSeconds"] > GRACE_S, f"kubernetes.yaml: pods are killed before --grace ({GRACE_S} s) is over")
    claimed = [volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
    require(claimed == [kinds["PersistentVolumeClaim"]["metadata"]["name"]], "kubernetes.yaml: a claim that is not there")
    for container in pod["containers"]:
        check_flags("kubernetes.yaml", container["args"])
        ports = {port["containerPort"] for port in container["ports"]}
        require({port["targetPort"] for port in kinds["Service"]["spec"]["ports"]} <= ports, "kubernetes.yaml: the service's port")
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            require(container[name]["httpGet"]["port"] in ports, f"kubernetes.yaml: {name} asks another port")
            check_probe(f"kubernetes.yaml: {name}", container[name]["httpGet"]["path"])
        variables = {entry["name"] for entry in container["env"]}
        for name in re.findall(r"\$\((\w+)\)", " ".join(container["args"])):
            require(name in variables, f"kubernetes.yaml: $({name}) is no variable")
        volumes = {volume["name"] for volume in pod["volumes"]}
        require({mount["name"] for mount in container["volumeMounts"]} <= volumes, "kubernetes.yaml: a mount without a volume")


def check_unit():
    unit = dict(line.split("=", 1) for line in logical_lines((HERE / "sensorium.service").read_text()) if "=" in line)
    command = shlex.split(unit["ExecStart"])
    require(command[1] == "serve", "sensorium.service: it does not serve")
    check_flags("sensorium.service", command)
    require(int(unit["TimeoutStopSec"]) > GRACE_S, f"sensorium.service: killed before --grace ({GRACE_S} s) is over")


check_dockerfile()
check_kubernetes()
check_unit()
for fault in faults:
    print(fault)
if kubernetes_validate is None:
    print("not held against Kubernetes' schemas: kubernetes-validate is not installed")
print("the files fit the program" if not faults else f"{len(faults)} faults")
sys.exit(1 if faults else 0)
