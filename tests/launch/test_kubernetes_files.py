"""The manifests, the container file and every shell script: what a cluster would find wrong with them, found here."""

import copy
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kubernetes_schemas import document_faults

yaml = pytest.importorskip("yaml", reason="needs the train extra")
pytest.importorskip("psutil", reason="needs the train extra")

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "launch" / "kubernetes"
MANIFESTS = sorted(FOLDER.glob("*.yaml"))
SCRIPTS = sorted([*(ROOT / "launch").rglob("*.sh"), *(ROOT / "launch").rglob("*.sbatch"), ROOT / ".ci" / "run"])
STOPPED = 75


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")))


def load(name: str) -> Any:
    """A script of launch/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "launch" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def runtime_job() -> dict[str, Any]:
    (runtime,) = documents("trainingruntime")
    (job,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    return job


def replicas() -> dict[str, dict[str, Any]]:
    (job,) = documents("pytorchjob")
    return job["spec"]["pytorchReplicaSpecs"]


def pods() -> list[dict[str, Any]]:
    return [runtime_job()["template"]["spec"]["template"]["spec"]] + [
        replica["template"]["spec"] for replica in replicas().values()
    ]


def arguments() -> list[list[str]]:
    """What the pods of either kind of job are told."""
    (train_job,) = documents("trainjob")
    return [train_job["spec"]["trainer"]["args"]] + [
        replica["template"]["spec"]["containers"][0]["args"] for replica in replicas().values()
    ]


def test_there_are_manifests() -> None:
    assert {path.stem for path in MANIFESTS} == {"volumes", "trainingruntime", "trainjob", "pytorchjob"}


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_manifests_are_what_the_kinds_allow(path: Path) -> None:
    for document in documents(path.stem):
        assert document_faults(document) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda job: job["spec"]["trainer"].update(numNode=2), "no field numNode"),
        (lambda job: job["spec"].pop("runtimeRef"), "runtimeRef is missing"),
        (lambda job: job["spec"]["trainer"].update(args=["--steps", 100]), "args[1]: is 100, expected str"),
        (lambda job: job["spec"]["trainer"].update(numNodes=True), "is True, expected int"),
        (lambda job: job["spec"]["runtimeRef"].update(kind="Runtime"), "expected one of"),
        (lambda job: job.update(apiVersion="trainer.kubeflow.org/v1"), "not a known kind"),
    ],
)
def test_the_schema_notices(change: Any, expected: str) -> None:
    (document,) = documents("trainjob")
    changed = copy.deepcopy(document)
    change(changed)
    (fault,) = document_faults(changed)
    assert expected in fault


def test_pods_have_time_to_save() -> None:
    for pod in pods():
        assert pod["terminationGracePeriodSeconds"] >= load("supervise").GRACE_SECONDS + 30


def test_pods_mount_what_they_name_and_run_as_nobody_special() -> None:
    claims = {document["metadata"]["name"] for document in documents("volumes")}
    for pod in pods():
        (container,) = pod["containers"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
        assert {"/runs", "/data", "/dev/shm"} == mounts.keys()
        assert {mount["name"] for mount in mounts.values()} == volumes.keys()
        assert volumes[mounts["/dev/shm"]["name"]]["emptyDir"]["medium"] == "Memory"
        used = {volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"] if "emptyDir" not in volume}
        assert used == claims
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] > 0
        assert not container["securityContext"]["allowPrivilegeEscalation"]


def test_only_stopped_after_saving_comes_back_uncounted() -> None:
    job = runtime_job()
    assert job["template"]["metadata"]["labels"] == {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
    spec = job["template"]["spec"]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"  # podFailurePolicy is refused with any other
    (name,) = (container["name"] for container in spec["template"]["spec"]["containers"])
    assert name == job["name"] == "node"  # what TrainJobs change

    def action(code: int) -> str:
        for rule in spec["podFailurePolicy"]["rules"]:
            codes = rule.get("onExitCodes")
            if codes and codes["containerName"] == name and (code in codes["values"]) == (codes["operator"] == "In"):
                return rule["action"]
        return "Count"

    supervise = load("supervise")
    assert action(supervise.STOPPED) == "Ignore"
    assert action(supervise.GAVE_UP) == action(supervise.MISTAKE) == "FailJob"
    assert action(137) == "Count"


def test_a_pytorchjob_comes_back_after_stopping_and_not_after_a_mistake() -> None:
    for kind, replica in replicas().items():
        assert kind in ("Master", "Worker")
        assert replica["restartPolicy"] == "ExitCode"  # comes back after 128 and more alone
        (container,) = replica["template"]["spec"]["containers"]
        assert container["name"] == "pytorch"
        words = container["args"]
        assert int(words[words.index("--stopped-code") + 1]) >= 128
    assert replicas()["Master"]["replicas"] == 1


def test_a_trainjob_finds_its_runtime() -> None:
    (runtime,), (job,) = documents("trainingruntime"), documents("trainjob")
    reference = job["spec"]["runtimeRef"]
    assert reference["name"] == runtime["metadata"]["name"]
    assert f"{reference['apiGroup']}/v1alpha1" == runtime["apiVersion"]
    assert reference["kind"] == runtime["kind"]


def test_what_pods_are_told_is_there() -> None:
    for words in arguments():
        (script,) = (word for word in words if word.endswith(".py"))
        assert (ROOT / script).is_file()
        assert words[words.index("--out") + 1].startswith("/runs/")
        assert words[words.index("--data") + 1].startswith("/data/")


def test_the_container_copies_what_is_there_and_runs_as_nobody_special() -> None:
    text = (FOLDER / "Containerfile").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    copied = [source for line in lines if line.startswith("COPY ") for source in line.split()[1:-1]]
    assert {"pyproject.toml", "trainer", "launch"} <= set(copied)
    assert all((ROOT / source).exists() for source in copied)
    (user,) = (line.split()[1] for line in lines if line.startswith("USER "))
    assert user.split(":")[0] not in ("0", "root")
    places = {word: next(i for i, line in enumerate(lines) if line.startswith(word)) for word in ("USER", "ENTRYPOINT")}
    assert places["USER"] < places["ENTRYPOINT"]
    assert "launch/kubernetes/entry.py" in lines[places["ENTRYPOINT"]]
    installs = next(i for i, line in enumerate(lines) if "pip install" in line)
    code = next(i for i, line in enumerate(lines) if line.startswith("COPY trainer"))
    assert installs < code  # a change of code installs nothing


@pytest.mark.skipif(os.name == "nt" or shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_bash_can_read_every_script(path: Path) -> None:
    subprocess.run(["bash", "-n", str(path)], check=True)


@pytest.mark.skipif(os.name == "nt", reason="needs bash")
def test_shellcheck_has_no_complaint() -> None:
    beside = Path(sys.executable).parent / "shellcheck"
    program = str(beside) if beside.exists() else shutil.which("shellcheck")
    if program is None:
        pytest.skip("needs shellcheck")
    subprocess.run([program, "--shell=bash", *map(str, SCRIPTS)], check=True)
