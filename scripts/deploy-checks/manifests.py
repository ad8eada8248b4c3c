"""Builds every overlay of k8s/ and holds what comes out against Kubernetes's schemas (a kind without one fails), and its parts
against each other and against the settings that a gateway knows: what no schema sees.

usage: manifests.py
"""

import json
import pathlib
import re
import subprocess
import sys

import jsonschema
import kubernetes_validate
import yaml

import settings

VERSION = "1.32"
ROOT = pathlib.Path("k8s")
SCHEMAS = pathlib.Path(__file__).parent / "schemas"
METRICS = pathlib.Path("docs/metrics.md")
# Kinds that Kubernetes itself does not know: what we use of them is described here.
OWN = {path.stem: json.loads(path.read_text()) for path in SCHEMAS.glob("*.json")}
# Made by the operator, as the overlay's first lines say.
ELSEWHERE = {"production": {("Secret", "switchboard")}}
# More than the drain may take: time to tell the store good-bye.
SPARE_SECONDS = 5


class Faults(list):
    def unless(self, condition, words):
        if not condition:
            self.append(words)


def of_kind(documents, *kinds):
    return [each for each in documents if each["kind"] in kinds]


def name(document):
    return f"{document['kind']} {document['metadata']['name']}"


def selects(selector, labels):
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def pods(documents):
    """Each workload with its pod's labels and specification."""
    for each in of_kind(documents, "Deployment", "StatefulSet"):
        yield each, each["spec"]["template"]["metadata"]["labels"], each["spec"]["template"]["spec"]


def named_ports(pod):
    return {port["name"] for container in pod["containers"] for port in container.get("ports", [])}


def check_schema(document, faults):
    own = OWN.get(document["kind"])
    try:
        if own:
            jsonschema.validate(document, own)
        else:
            kubernetes_validate.validate(document, VERSION, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        faults.append(f"{name(document)}: Kubernetes {VERSION} has no {document['kind']} of {document['apiVersion']}")
    except (kubernetes_validate.ValidationError, jsonschema.ValidationError) as error:
        faults.append(f"{name(document)}: {error.message}")


def check_workload(documents, overlay, workload, labels, pod, faults):
    who = name(workload)
    exists = {(each["kind"], each["metadata"]["name"]) for each in documents} | ELSEWHERE.get(overlay, set())
    faults.unless(selects(workload["spec"]["selector"]["matchLabels"], labels), f"{who}: its selector is not its pods' labels")
    account = pod.get("serviceAccountName")
    faults.unless(not account or ("ServiceAccount", account) in exists, f"{who}: there is no ServiceAccount {account}")
    faults.unless(pod.get("automountServiceAccountToken") is False, f"{who}: its pods get a token of Kubernetes")
    faults.unless(pod.get("securityContext", {}).get("runAsNonRoot") is True, f"{who}: may run as root")
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    claims = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
    for volume in volumes.values():
        secret = volume.get("secret", {}).get("secretName")
        faults.unless(not secret or ("Secret", secret) in exists, f"{who}: there is no Secret {secret}")
    for container in pod["containers"]:
        for source in container.get("envFrom", []):
            config = source["configMapRef"]["name"]
            faults.unless(("ConfigMap", config) in exists, f"{who}: there is no ConfigMap {config}")
        for mount in container.get("volumeMounts", []):
            faults.unless(mount["name"] in {*volumes, *claims}, f"{who}: there is no volume {mount['name']}")
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = container.get(probe, {})
            port = asked.get("httpGet", asked.get("tcpSocket", {})).get("port")
            faults.unless(port is None or port in named_ports(pod), f"{who}: its {probe} asks a port {port} that it has not")
        context = container.get("securityContext", {})
        faults.unless(context.get("allowPrivilegeEscalation") is False, f"{who}: may gain privileges")
        faults.unless(context.get("capabilities", {}).get("drop") == ["ALL"], f"{who}: keeps capabilities")
        faults.unless("memory" in container.get("resources", {}).get("limits", {}), f"{who}: has no limit of memory")
        image = container["image"]
        faults.unless(settings.is_pinned(image), f"{who}: its image {image} is not pinned to a release")


def check_references(documents, faults):
    workloads = list(pods(documents))
    exists = {(each["kind"], each["metadata"]["name"]) for each in documents}
    services = of_kind(documents, "Service")
    for service in services:
        behind = [pod for _, labels, pod in workloads if selects(service["spec"]["selector"], labels)]
        faults.unless(behind, f"{name(service)}: selects no pods")
        for port in service["spec"]["ports"]:
            faults.unless(
                all(port["targetPort"] in named_ports(pod) for pod in behind),
                f"{name(service)}: its pods have no port {port['targetPort']}",
            )
    for each in of_kind(documents, "PodDisruptionBudget", "NetworkPolicy"):
        selector = each["spec"].get("podSelector", each["spec"].get("selector", {})).get("matchLabels", {})
        chosen = [pod for _, labels, pod in workloads if selects(selector, labels)]
        faults.unless(chosen, f"{name(each)}: selects no pods")
        for rule in each["spec"].get("ingress", []):
            for port in rule.get("ports", []):
                faults.unless(
                    all(port["port"] in named_ports(pod) for pod in chosen), f"{name(each)}: there is no port {port['port']}"
                )
    for each in of_kind(documents, "HorizontalPodAutoscaler"):
        target = each["spec"]["scaleTargetRef"]
        faults.unless((target["kind"], target["name"]) in exists, f"{name(each)}: there is no {target['kind']} {target['name']}")
    for each in of_kind(documents, "Ingress"):
        for rule in each["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                wanted = path["backend"]["service"]
                found = [service for service in services if service["metadata"]["name"] == wanted["name"]]
                ports = {port["name"] for service in found for port in service["spec"]["ports"]}
                faults.unless(wanted["port"]["name"] in ports, f"{name(each)}: there is no {wanted['name']}:{wanted['port']['name']}")
    for each in of_kind(documents, "ServiceMonitor"):
        selector = each["spec"]["selector"]["matchLabels"]
        found = [service for service in services if selects(selector, service["metadata"].get("labels", {}))]
        ports = {port["name"] for service in found for port in service["spec"]["ports"]}
        faults.unless(len(found) == 1, f"{name(each)}: selects {len(found)} Services instead of one")
        for endpoint in each["spec"]["endpoints"]:
            faults.unless(endpoint["port"] in ports, f"{name(each)}: there is no port {endpoint['port']}")
        for service in found:
            job = service["metadata"]["labels"].get(each["spec"].get("jobLabel"))
            faults.unless(job == "switchboard", f"{name(each)}: rules speak of job switchboard, and this makes it {job}")


def check_gateway(documents, overlay, faults):
    found = [(each, pod) for each, _, pod in pods(documents) if each["metadata"]["name"] == "switchboard"]
    if len(found) != 1:
        return faults.append(f"there are {len(found)} Deployments of gateways")
    (deployment, pod), who = found[0], name(found[0][0])
    container = pod["containers"][0]
    configs = {each["metadata"]["name"]: each["data"] for each in of_kind(documents, "ConfigMap")}
    given = {}
    for source in container.get("envFrom", []):
        given |= configs.get(source["configMapRef"]["name"], {})
    given |= {each["name"]: each.get("value", "") for each in container.get("env", [])}
    for variable in settings.unknown(given):
        faults.append(f"{who}: a gateway does not know {variable}")

    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for variable, port in [("SWITCHBOARD_LISTEN", "chat"), ("SWITCHBOARD_OPS_LISTEN", "ops")]:
        faults.unless(given.get(variable) == f"0.0.0.0:{ports.get(port)}", f"{who}: {variable} is not its port {port}")

    pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    needed = pause + int(given.get("SWITCHBOARD_DRAIN_SECONDS", 25)) + SPARE_SECONDS
    grace = pod.get("terminationGracePeriodSeconds", 30)
    faults.unless(grace >= needed, f"{who}: is killed after {grace} s, and a drain needs {needed} s")
    faults.unless(container["securityContext"].get("readOnlyRootFilesystem") is True, f"{who}: may write to its own files")
    faults.unless(pod.get("enableServiceLinks") is False, f"{who}: its Service would set variables that look like settings")

    mounts = {mount["mountPath"]: mount["name"] for mount in container.get("volumeMounts", [])}
    secrets = {each["metadata"]["name"]: {*each.get("data", {}), *each.get("stringData", {})} for each in of_kind(documents, "Secret")}
    told = set(re.findall(r"--from-file=([\w-]+)=", (ROOT / "overlays" / overlay / "kustomization.yaml").read_text()))
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for variable, path in given.items():
        if variable.endswith("_FILE"):
            place, _, key = path.rpartition("/")
            faults.unless(place in mounts, f"{who}: {variable} names {path}, and nothing is mounted there")
            secret = volumes.get(mounts.get(place), {}).get("secret", {}).get("secretName")
            faults.unless(key in secrets.get(secret, told), f"{who}: {variable} names {key}, which the Secret {secret} has not")

    for scaler in of_kind(documents, "HorizontalPodAutoscaler"):
        for metric in scaler["spec"]["metrics"]:
            if metric["type"] == "Pods":
                scaled_by = metric["pods"]["metric"]["name"]
                faults.unless(f"| `{scaled_by}` |" in METRICS.read_text(), f"{name(scaler)}: no gateway serves {scaled_by}")
                aim = int(metric["pods"]["target"]["averageValue"])
                most = int(given.get("SWITCHBOARD_CONNECTIONS_MAX", 100_000))
                faults.unless(aim * 3 <= most * 2, f"{name(scaler)}: {aim} of {most} connections leave no room for another's")


def main():
    faults, count = Faults(), 0
    for place in sorted((ROOT / "overlays").iterdir()):
        built = subprocess.run(["kubectl", "kustomize", place], capture_output=True, text=True)
        if built.returncode:
            faults.append(f"{place.name}: {built.stderr.strip()}")
            continue
        documents = [each for each in yaml.safe_load_all(built.stdout) if each]
        count += len(documents)
        here = Faults()
        for document in documents:
            check_schema(document, here)
        if not here:
            for workload in pods(documents):
                check_workload(documents, place.name, *workload, here)
            check_references(documents, here)
            check_gateway(documents, place.name, here)
        faults += [f"{place.name}: {fault}" for fault in here]
    for fault in faults:
        print(f"FAILED  {fault}")
    if faults:
        sys.exit(1)
    print(f"{count} manifests, by the schemas of Kubernetes {VERSION}, and fitting one another")


main()
