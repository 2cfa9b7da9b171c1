"""Tools that we did not write, held against what Linkspan puts out: the XSDs, the xmlsec1 program, another decryption."""

import base64
import os
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree
from saml2.xml.schema import validate as validate_by_pysaml2

NS = {
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "md": "urn:oasis:names:tc:SAML:2.0:metadata",
    "mdui": "urn:oasis:names:tc:SAML:metadata:ui",
    "alg": "urn:oasis:names:tc:SAML:metadata:algsupport",
    "shibmd": "urn:mace:shibboleth:metadata:1.0",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "xenc": "http://www.w3.org/2001/04/xmlenc#",
    "xenc11": "http://www.w3.org/2009/xmlenc11#",
}
_HASHES = {
    "http://www.w3.org/2000/09/xmldsig#sha1": hashes.SHA1,
    "http://www.w3.org/2001/04/xmlenc#sha256": hashes.SHA256,
    "http://www.w3.org/2009/xmlenc11#mgf1sha1": hashes.SHA1,
    "http://www.w3.org/2009/xmlenc11#mgf1sha256": hashes.SHA256,
}


def parse(text):
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return etree.fromstring(text.encode() if isinstance(text, str) else text, parser)


def find(element, path):
    return element.find(path, NS)


def find_all(element, path):
    return element.findall(path, NS)


def corpus():
    """The folder with real SAML documents, or None."""
    given = os.environ.get("LINKSPAN_CORPUS")
    folder = Path(given) if given else Path(__file__).parents[2].parent / "shared/corpus"
    return folder if folder.is_dir() else None


def assert_schema_valid(text):
    """Against the OASIS schemas: pysaml2's copy by xmlschema, and the corpus' by xmllint where the corpus is present."""
    if "metadata" not in parse(text).tag:
        validate_by_pysaml2(text)
    schemas = corpus() / "schemas" if corpus() else None
    if schemas:
        environment = {**os.environ, "XML_CATALOG_FILES": str(schemas / "catalog.xml")}
        done = subprocess.run(
            ["xmllint", "--nonet", "--noout", "--schema", str(schemas / "all.xsd"), "-"], env=environment, input=text, capture_output=True, text=True
        )
        assert done.returncode == 0, f"not valid against the XSDs: {done.stderr}\n{text}"


def assert_signature(text, certificate, tmp_path, element="urn:oasis:names:tc:SAML:2.0:assertion:Assertion", node=None):
    """The xmlsec1 program verifies the signature under `element` (`namespace:Name`) with that certificate alone."""
    document, key = tmp_path / "signed.xml", tmp_path / "signer.pem"
    document.write_text(text)
    key.write_text(certificate)
    where = ["--node-xpath", node] if node else []
    ids = [word for name in {element, "urn:oasis:names:tc:SAML:2.0:assertion:Assertion", "urn:oasis:names:tc:SAML:2.0:protocol:Response"} for word in ("--id-attr:ID", name)]
    # Of the key material in the message nothing counts: only the given certificate does.
    command = ["xmlsec1", "--verify", "--enabled-reference-uris", "empty,same-doc", "--enabled-key-data", "raw-x509-cert"]
    done = subprocess.run([*command, "--pubkey-cert-pem", str(key), *ids, *where, str(document)], capture_output=True, text=True)
    assert done.returncode == 0, f"xmlsec1 does not verify it: {done.stderr}\n{text}"


def pem_of(base64_certificate):
    body = "".join(base64_certificate.split())
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def signing_certificates(metadata):
    """PEM of the signing certificates in IdP metadata, in document order."""
    found = parse(metadata).iterfind(".//md:IDPSSODescriptor/md:KeyDescriptor", NS)
    return [pem_of(key.findtext(".//ds:X509Certificate", namespaces=NS)) for key in found if key.get("use") in (None, "signing")]


def decrypt_element(encrypted, key_pem):
    """Decrypts an EncryptedAssertion or EncryptedID with RSA-OAEP and AES; returns the inner XML as bytes."""
    private = serialization.load_pem_private_key(key_pem, None)
    key = encrypted.find(".//xenc:EncryptedKey", NS)
    method = key.find("xenc:EncryptionMethod", NS)
    digest = method.find("ds:DigestMethod", NS)
    mask = method.find("xenc11:MGF", NS)
    digest = _HASHES[digest.get("Algorithm")] if digest is not None else hashes.SHA1
    mask = _HASHES[mask.get("Algorithm")] if mask is not None else hashes.SHA1
    wrapped = base64.b64decode(key.findtext("xenc:CipherData/xenc:CipherValue", namespaces=NS))
    content_key = private.decrypt(wrapped, padding.OAEP(padding.MGF1(mask()), digest(), None))

    data = encrypted.find("xenc:EncryptedData", NS)
    algorithm = data.find("xenc:EncryptionMethod", NS).get("Algorithm")
    cipher = base64.b64decode(data.findtext("xenc:CipherData/xenc:CipherValue", namespaces=NS))
    if algorithm.endswith("-gcm"):
        return AESGCM(content_key).decrypt(cipher[:12], cipher[12:], None)
    decryptor = Cipher(algorithms.AES(content_key), modes.CBC(cipher[:16])).decryptor()
    plain = decryptor.update(cipher[16:]) + decryptor.finalize()
    return plain[: -plain[-1]]


def decrypted_response(text, key_pem):
    """The response with its EncryptedAssertion replaced by the assertion inside; unchanged where there is none."""
    response = parse(text)
    encrypted = response.find("saml:EncryptedAssertion", NS)
    if encrypted is not None:
        response.replace(encrypted, parse(decrypt_element(encrypted, key_pem)))
    return etree.tostring(response, encoding="unicode")
