"""What the manifests may say, written down from the documented resources. Fields that this project does not use are
left out, and so refused: a misspelt one is dropped by a cluster without a word.

- TrainJob, TrainingRuntime: trainer.kubeflow.org/v1alpha1, as of Kubeflow Trainer 2.0 to 2.2
- the JobSet within: jobset.x-k8s.io/v1alpha2, as of JobSet 0.8 to 0.10
- PyTorchJob: kubeflow.org/v1, as of Training Operator 1.7 to 1.9
- PersistentVolumeClaim and pods: v1; the Job within: batch/v1, as of Kubernetes 1.31

A schema is a type, a set of allowed values, a list of one schema, or a dict of them by name; a name that ends in ``!``
must be there, ``*`` is any name.
"""

from typing import Any

QUANTITY = (int, str)  # "8", "256Gi"

METADATA = {"name!": str, "namespace": str, "labels": {"*": str}, "annotations": {"*": str}}
RESOURCES = {"requests": {"*": QUANTITY}, "limits": {"*": QUANTITY}}
ENVIRONMENT = [{"name!": str, "value!": str}]

POD = {
    "metadata": {"labels": {"*": str}, "annotations": {"*": str}},
    "spec!": {
        "restartPolicy": {"Always", "OnFailure", "Never"},
        "terminationGracePeriodSeconds": int,
        "nodeSelector": {"*": str},
        "securityContext": {
            "runAsNonRoot": bool, "runAsUser": int, "runAsGroup": int, "fsGroup": int,
            "seccompProfile": {"type!": {"RuntimeDefault", "Unconfined", "Localhost"}},
        },
        "containers!": [
            {
                "name!": str, "image!": str, "command": [str], "args": [str], "env": ENVIRONMENT,
                "resources": RESOURCES,
                "securityContext": {
                    "allowPrivilegeEscalation": bool, "readOnlyRootFilesystem": bool, "capabilities": {"drop": [str]},
                },
                "volumeMounts": [{"name!": str, "mountPath!": str, "readOnly": bool, "subPath": str}],
            }
        ],
        "volumes": [
            {
                "name!": str,
                "persistentVolumeClaim": {"claimName!": str, "readOnly": bool},
                "emptyDir": {"medium": {"", "Memory"}, "sizeLimit": QUANTITY},
            }
        ],
    },
}  # fmt: skip

JOB = {
    "metadata": {"labels": {"*": str}, "annotations": {"*": str}},
    "spec!": {
        "backoffLimit": int,
        "podFailurePolicy": {
            "rules!": [
                {
                    "action!": {"FailJob", "FailIndex", "Ignore", "Count"},
                    "onExitCodes": {"containerName": str, "operator!": {"In", "NotIn"}, "values!": [int]},
                    "onPodConditions": [{"type!": str, "status!": {"True", "False", "Unknown"}}],
                }
            ]
        },
        "template!": POD,
    },
}

REPLICAS = {"replicas": int, "restartPolicy": {"Always", "OnFailure", "Never", "ExitCode"}, "template!": POD}

SCHEMAS: dict[tuple[str, str], Any] = {
    ("v1", "PersistentVolumeClaim"): {
        "metadata!": METADATA,
        "spec!": {
            "accessModes!": [{"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"}],
            "storageClassName": str,
            "resources!": {"requests!": {"storage!": QUANTITY}},
        },
    },
    ("trainer.kubeflow.org/v1alpha1", "TrainingRuntime"): {
        "metadata!": METADATA,
        "spec!": {
            "mlPolicy": {"numNodes": int, "torch": {"numProcPerNode": (int, str)}},
            "template!": {
                "spec!": {"replicatedJobs!": [{"name!": str, "replicas": int, "template!": JOB}]},
            },
        },
    },
    ("trainer.kubeflow.org/v1alpha1", "TrainJob"): {
        "metadata!": METADATA,
        "spec!": {
            "runtimeRef!": {"name!": str, "apiGroup": str, "kind": {"TrainingRuntime", "ClusterTrainingRuntime"}},
            "suspend": bool,
            "trainer": {
                "image": str, "command": [str], "args": [str], "env": ENVIRONMENT, "numNodes": int,
                "numProcPerNode": int, "resourcesPerNode": RESOURCES,
            },
        },
    },
    ("kubeflow.org/v1", "PyTorchJob"): {
        "metadata!": METADATA,
        "spec!": {
            "nprocPerNode": str,
            "runPolicy": {
                "cleanPodPolicy": {"All", "Running", "None"}, "backoffLimit": int, "activeDeadlineSeconds": int,
                "ttlSecondsAfterFinished": int, "suspend": bool,
            },
            "pytorchReplicaSpecs!": {"Master": REPLICAS, "Worker": REPLICAS},
        },
    },
}  # fmt: skip


def faults(value: Any, schema: Any, place: str = "") -> list[str]:
    """What is wrong with a value, a line each."""
    if isinstance(schema, dict):
        if not isinstance(value, dict):
            return [f"{place}: is {value!r}, expected fields"]
        names = {name.rstrip("!"): inner for name, inner in schema.items()}
        found = [f"{place}: {name[:-1]} is missing" for name in schema if name[-1] == "!" and name[:-1] not in value]
        for name, inner in value.items():
            if name in names or "*" in names:
                found += faults(inner, names.get(name, names.get("*")), f"{place}.{name}")
            else:
                found.append(f"{place}: no field {name}")
        return found
    if isinstance(schema, list):
        if not isinstance(value, list):
            return [f"{place}: is {value!r}, expected a list"]
        return [fault for i, item in enumerate(value) for fault in faults(item, schema[0], f"{place}[{i}]")]
    if isinstance(schema, set):
        return [] if value in schema else [f"{place}: is {value!r}, expected one of {sorted(schema)}"]
    types = schema if isinstance(schema, tuple) else (schema,)
    fits = type(value) in types  # not isinstance: true is no number
    return [] if fits else [f"{place}: is {value!r}, expected {' or '.join(kind.__name__ for kind in types)}"]


def document_faults(document: dict[str, Any]) -> list[str]:
    """What is wrong with a manifest."""
    version, kind = document.get("apiVersion", ""), document.get("kind", "")
    schema = SCHEMAS.get((version, kind))
    if schema is None:
        return [f"{version} {kind}: not a known kind"]
    rest = {name: value for name, value in document.items() if name not in ("apiVersion", "kind")}
    return faults(rest, schema, kind)
