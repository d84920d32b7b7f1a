"""Two authorities and what one of them signed, made by openssl: certificates that the images and the pod take."""

import shutil
import subprocess

from engine import Missing

LEAF = "subjectAltName=DNS:localhost\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n"
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def make(directory):
    """Writes house.pem, origin.pem and origin-key.pem there. (house, signer): the roots as PEM."""
    if not shutil.which("openssl"):
        raise Missing("openssl is not installed")
    for name in ("house", "signer"):
        _openssl(directory, "req", "-x509", *KEY, "-keyout", f"{name}-key.pem", "-out", f"{name}.pem", "-days", "7",
                 "-subj", f"/CN=the test's {name}")
    (directory / "leaf.cnf").write_text(LEAF)
    _openssl(directory, "req", "-new", *KEY, "-keyout", "origin-key.pem", "-out", "origin.csr", "-subj", "/CN=origin")
    _openssl(directory, "x509", "-req", "-in", "origin.csr", "-CA", "signer.pem", "-CAkey", "signer-key.pem",
             "-CAcreateserial", "-days", "7", "-extfile", "leaf.cnf", "-out", "origin.pem")
    return (directory / "house.pem").read_text(), (directory / "signer.pem").read_text()


def _openssl(directory, *words):
    done = subprocess.run(["openssl", *words], cwd=directory, text=True, stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 0, f"openssl {words[0]}: {done.stderr}"
