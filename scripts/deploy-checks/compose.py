"""Holds deploy/compose.yaml against itself, the files that it mounts, and the settings that a gateway knows. Its form is
checked by the schema of Compose before.

usage: compose.py
"""

import pathlib
import re
import sys

import yaml

import settings

FILE = pathlib.Path("deploy/compose.yaml")
# What a gateway needs between the end of its drain and being killed.
SPARE_SECONDS = 5
CONDITIONS = {"service_healthy", "service_started", "service_completed_successfully"}


def main():
    compose = yaml.safe_load(FILE.read_text())
    services, volumes, networks = compose["services"], compose["volumes"], compose["networks"]
    faults, used = [], set()
    for name, service in services.items():
        profiles = set(service.get("profiles", []))
        for needed, how in service.get("depends_on", {}).items():
            other = services.get(needed)
            if other is None:
                faults.append(f"{name} needs {needed}, which there is not")
                continue
            if not set(other.get("profiles", [])) <= profiles:
                faults.append(f"{name} needs {needed}, which its profiles do not start")
            if how["condition"] not in CONDITIONS:
                faults.append(f"{name} waits for {how['condition']}")
            if how["condition"] == "service_healthy" and "healthcheck" not in other:
                faults.append(f"{name} waits for {needed} to be healthy, which nobody checks")
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if not source.startswith("."):
                used.add(source)
                if source not in volumes:
                    faults.append(f"{name} mounts the volume {source}, which there is not")
            elif not (FILE.parent / source).exists():
                faults.append(f"{name} mounts {source}, which there is not")
        for network in service.get("networks", []):
            if network not in networks:
                faults.append(f"{name} is in the network {network}, which there is not")
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                faults.append(f"{name} is published on {port}, not on loopback only")
        if "image" in service and not settings.is_pinned(service["image"]):
            faults.append(f"{name}: its image {service['image']} is not pinned to a release")
        environment = service.get("environment", {})
        for variable in settings.unknown(environment):
            faults.append(f"{name}: a gateway does not know {variable}")
        if name.startswith("gateway"):
            drain = int(environment.get("SWITCHBOARD_DRAIN_SECONDS", 25))
            if settings.seconds(service.get("stop_grace_period", "10s")) < drain + SPARE_SECONDS:
                faults.append(f"{name} is killed before its drain of {drain} s is over")
            proxy = services["haproxy"]["networks"]["inside"]["ipv4_address"]
            if environment.get("SWITCHBOARD_TRUSTED_PROXIES") != proxy:
                faults.append(f"{name} does not trust HAProxy, which is {proxy}")
    for volume in set(volumes) - used:
        faults.append(f"nobody mounts the volume {volume}")

    # What configurations name must be there by that name.
    targets = yaml.safe_load(pathlib.Path("deploy/prometheus/prometheus.yml").read_text())
    hosts = [each for config in targets["scrape_configs"] for static in config["static_configs"] for each in static["targets"]]
    hosts += [each for one in targets["alerting"]["alertmanagers"] for static in one["static_configs"] for each in static["targets"]]
    hosts += [value for key, value in services["haproxy"]["environment"].items() if key.startswith("GATEWAY")]
    sources = yaml.safe_load(pathlib.Path("deploy/grafana/provisioning/datasources/prometheus.yml").read_text())
    hosts += [source["url"].removeprefix("http://") for source in sources["datasources"]]
    for host in hosts:
        if host.split(":")[0] not in services:
            faults.append(f"a configuration names {host}, which is no service")
    for variable in re.findall(r'"\$\{(\w+)\}"', pathlib.Path("deploy/haproxy.cfg").read_text()):
        if variable not in services["haproxy"]["environment"]:
            faults.append(f"haproxy.cfg wants {variable}, which haproxy is not given")
    for path in pathlib.Path("deploy/grafana/provisioning/dashboards").glob("*.yml"):
        for provider in yaml.safe_load(path.read_text())["providers"]:
            if not any(mount.split(":")[1] == provider["options"]["path"] for mount in services["grafana"]["volumes"]):
                faults.append(f"{path.name}: nothing is mounted at {provider['options']['path']}")

    # The image's own settings, and those of the cluster without containers.
    for path in ["Dockerfile", "deploy/local-cluster"]:
        for variable in settings.unknown(re.findall(r"\b(SWITCHBOARD_\w+)=", pathlib.Path(path).read_text())):
            faults.append(f"{path}: a gateway does not know {variable}")

    for fault in faults:
        print(f"FAILED  {fault}")
    if faults:
        sys.exit(1)
    print(f"{len(services)} services that fit one another")


main()
