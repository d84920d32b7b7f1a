"""packaging/kubernetes/sidecar.yaml as podman (tried: 4.3) can play it.

Images, configuration, environment, security contexts, resources and volumes stay as they are, but that sidespan is told
to trust the authority of the test's origin. What is changed, because podman's `kube play` has no such thing:

- Native sidecars. An init container that stays (restartPolicy: Always) is refused when it has probes, and waited for
  for ever when it has none. They become ordinary containers, and the test starts and stops them in the order that
  Kubernetes would. So it does with the init container that ends, and when one is to start again: podman restarts none.
- Values of the cluster (metadata.namespace, spec.nodeName) and `$(NAME)` within a value. They are written in.
- Declared ports. podman publishes them on the machine, and refuses them in a pod without a network, which is what the
  test uses: nothing in the pod can reach anything else.

podman also keeps volumes of memory on disk, ignores startupProbe and readinessProbe, and would ask a livenessProbe by a
curl in the container; the test asks instead of the kubelet.
"""

import re

CLUSTER = {"metadata.namespace": "agents", "spec.nodeName": "node-1"}
POD = "my-agent"
UID = "8f9a6d1e-3f7e-4b57-9a55-0d2a1c6d7e10"  # podman's own is a name of 64 digits that nobody knows beforehand
EXPANDED = {"POD_NAME": POD, "POD_NAMESPACE": CLUSTER["metadata.namespace"], "POD_UID": UID,
            "NODE_NAME": CLUSTER["spec.nodeName"]}
RESOURCE = {"k8s.pod.name": POD, "k8s.namespace.name": "agents", "k8s.pod.uid": UID, "k8s.node.name": "node-1",
            "k8s.container.name": "agent"}


def for_podman(text, authority):
    """The manifest with the changes above, each of which must be found: a manifest that changed its shape is seen.
    `authority` is the certificate that sidespan is to trust, PEM."""
    text = _replaced(text, r"(?m)^    tls:\n", "    tls:\n      trust: {certificates: [/etc/sidespan/test.pem]}\n", 1)
    trusted = f"  test.pem: |\n{_indented(authority)}"
    text = _replaced(text, r"(?m)^  sidespan.yaml: \|\n", f"{trusted}  sidespan.yaml: |\n", 1)
    text = _replaced(text, r"(?m)^spec:\n", "spec:\n  restartPolicy: Never\n", 1)
    text = _replaced(text, r"(?m)^  containers:\n", "", 1)
    text = _replaced(text, r"(?m)^  initContainers:\n", "  containers:\n", 1)
    text = _replaced(text, r"(?m)^      restartPolicy: Always\n", "", 2)
    text = _replaced(text, r"(?m)^      ports:\n        - name: health\n          containerPort: 17021\n", "", 1)
    for field, value in CLUSTER.items():
        text = _replaced(text, r"valueFrom: \{fieldRef: \{fieldPath: %s\}\}" % re.escape(field), f"value: {value}", 1)
    for name, value in EXPANDED.items():
        text = _replaced(text, r"\$\(%s\)" % name, value, 1)
    return text


def init_script(text):
    """What the init container runs."""
    found = re.search(r"(?m)^        - -euc\n        - \|\n((?:          .*\n)+)", text)
    assert found, "the manifest has no script"
    return re.sub(r"(?m)^          ", "", found[1])


def _indented(text):
    return re.sub(r"(?m)^(?=.)", "    ", text.strip() + "\n")


def _replaced(text, pattern, by, count):
    text, found = re.subn(pattern, by, text)
    assert found == count, f"the manifest has {found} of {pattern!r}, {count} are expected"
    return text
