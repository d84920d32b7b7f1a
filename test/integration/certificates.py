"""Certificates for origins of the tests: an authority, good leaves, and leaves that are wrong in one way each.

    authority = Authority()
    authority.pem                          # the root, for tls.trust.certificates
    context = authority.server("localhost", "127.0.0.1")   # an ssl.SSLContext for Origin(tls=...)
    authority.server("localhost", expired=True)

Files live in a directory of their own, since the ssl module takes nothing else.
"""

import datetime
import ipaddress
import ssl
import subprocess
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import peers

DAY = datetime.timedelta(days=1)


def name_of(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def general_name(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


class Authority:
    def __init__(self, common_name="test authority", parent=None, permitted=None, days=30):
        self.directory = Path(tempfile.mkdtemp(prefix="sidespan-ca-"))
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.parent = parent
        self.name = name_of(common_name)
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (x509.CertificateBuilder().subject_name(self.name)
                   .issuer_name(parent.name if parent else self.name).public_key(self.key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(now - 2 * DAY)
                   .not_valid_after(now + days * DAY)
                   .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False))
        if permitted:
            names = [x509.DNSName(name) for name in permitted]
            builder = builder.add_extension(x509.NameConstraints(names, None), critical=True)
        self.certificate = builder.sign(parent.key if parent else self.key, hashes.SHA256())
        self.pem = self.directory / "ca.pem"
        self.pem.write_bytes(pem(self.certificate))

    def chain(self):
        """The intermediates below the root, this one first."""
        return [] if self.parent is None else [self.certificate, *self.parent.chain()]

    def leaf(self, *hosts, before=-DAY, after=7 * DAY, usage=ExtendedKeyUsageOID.SERVER_AUTH, common_name=None,
             digest=None, key=None, names=None):
        """(certificate, key) for the hosts; every argument but these makes it wrong in one way."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (x509.CertificateBuilder().subject_name(name_of(common_name or "origin")).issuer_name(self.name)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now + before).not_valid_after(now + after)
                   .add_extension(x509.ExtendedKeyUsage([usage]), critical=False))
        alternatives = names if names is not None else [general_name(host) for host in hosts]
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return builder.sign(self.key, digest or hashes.SHA256()), key

    def sha1_server(self, host):
        """Signed with SHA-1, which only the openssl command still does."""
        key, request, extensions, leaf = (self.directory / name for name in ("k.pem", "r.pem", "e.cnf", "l.pem"))
        ca_key = self.directory / "ca-key.pem"
        ca_key.write_bytes(private_pem(self.key))
        extensions.write_text(f"subjectAltName=DNS:{host}\nextendedKeyUsage=serverAuth\n")
        openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={host}")
        openssl("x509", "-req", "-sha1", "-in", request, "-CA", self.pem, "-CAkey", ca_key, "-set_serial", "7", "-days",
                "7", "-extfile", extensions, "-out", leaf)
        return server_context([x509.load_pem_x509_certificate(leaf.read_bytes())],
                              serialization.load_pem_private_key(key.read_bytes(), None))

    def server(self, *hosts, alpn=("http/1.1",), chain=None, **how):
        """A server's context with such a leaf, and with the intermediates that belong to it unless `chain` says."""
        certificate, key = self.leaf(*hosts, **how)
        return server_context([certificate, *(self.chain() if chain is None else chain)], key, alpn)

    def client_files(self, common_name="agent"):
        """(certificate file, key file) of a client."""
        certificate, key = self.leaf(common_name=common_name, usage=ExtendedKeyUsageOID.CLIENT_AUTH)
        return write(self.directory, common_name, [certificate], key)


def private_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def openssl(*arguments):
    subprocess.run([peers.installed("openssl"), *map(str, arguments)], check=True, capture_output=True)


def write(directory, stem, certificates, key):
    certificate_file, key_file = directory / f"{stem}.pem", directory / f"{stem}-key.pem"
    certificate_file.write_bytes(b"".join(map(pem, certificates)))
    key_file.write_bytes(private_pem(key))
    key_file.chmod(0o600)
    return certificate_file, key_file


def server_context(certificates, key, alpn=("http/1.1",)):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # what a server shows is not for the server to judge
    with tempfile.TemporaryDirectory() as directory:
        context.load_cert_chain(*write(Path(directory), "server", certificates, key))
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def self_signed(*hosts):
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (x509.CertificateBuilder().subject_name(name_of("alone")).issuer_name(name_of("alone"))
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - DAY).not_valid_after(now + DAY)
                   .add_extension(x509.SubjectAlternativeName([general_name(host) for host in hosts]), critical=False)
                   .sign(key, hashes.SHA256()))
    return server_context([certificate], key)
