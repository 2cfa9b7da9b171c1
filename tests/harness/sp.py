"""pysaml2 as the service provider: code that we did not write judges what Linkspan sends."""

import base64
import subprocess
from dataclasses import dataclass
from pathlib import Path

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.client import Saml2Client
from saml2.config import SPConfig
from saml2.metadata import entity_descriptor
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

REDIRECT, POST = BINDING_HTTP_REDIRECT, BINDING_HTTP_POST


@dataclass
class KeyPair:
    key: Path
    certificate: Path


def make_key_pair(folder, name):
    """An RSA-2048 key and a self-signed certificate, made by openssl."""
    pair = KeyPair(folder / f"{name}.key", folder / f"{name}.crt")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={name}", "-keyout", pair.key, "-out", pair.certificate],
        check=True, capture_output=True,
    )
    return pair


@dataclass
class Sent:
    """A request on its way: how the browser brings it to the identity provider."""

    id: str
    binding: str
    url: str
    fields: dict
    relay_state: str

    def go(self, browser, headers=None):
        if self.binding == REDIRECT:
            return browser.get(self.url, headers)
        return browser.post(self.url, self.fields, "https://sp.example.org", headers)


class ServiceProvider:
    """An SP under https://NAME.example.org; `options` go into pysaml2's `service.sp`, `more` to the top of its configuration."""

    def __init__(self, name, keys, idp_metadata, encryption=False, acs=None, more=None, **options):
        self.name = name
        self.entity_id = f"https://{name}.example.org/sp"
        self.acs = acs or f"https://{name}.example.org/acs"
        self.keys = keys
        settings = {
            "entityid": self.entity_id,
            "xmlsec_binary": "/usr/bin/xmlsec1",
            "key_file": str(keys.key),
            "cert_file": str(keys.certificate),
            "metadata": {"inline": [idp_metadata]},
            "allow_unknown_attributes": True,
            "signing_algorithm": SIG_RSA_SHA256,
            "digest_algorithm": DIGEST_SHA256,
            "service": {
                "sp": {
                    "name": name,
                    "endpoints": {"assertion_consumer_service": [(self.acs, POST)]},
                    "want_assertions_signed": True,
                    "want_response_signed": False,
                    "authn_requests_signed": False,
                    "allow_unsolicited": False,
                    **options,
                }
            },
            **(more or {}),
        }
        if encryption:
            settings["encryption_keypairs"] = [{"key_file": str(keys.key), "cert_file": str(keys.certificate)}]
        self.config = SPConfig().load(settings)
        self.client = Saml2Client(config=self.config)
        self.idp = self.client.metadata.identity_providers()[0]

    @property
    def metadata(self):
        return str(entity_descriptor(self.config))

    def request(self, binding=REDIRECT, signed=False, relay_state="back to work", **options):
        """Makes an AuthnRequest; `options` as pysaml2's `create_authn_request` takes them."""
        destination = options.pop("destination", None) or self.client.metadata.single_sign_on_service(self.idp, binding)[0]["location"]
        # By redirect the query is signed, by POST the message itself.
        request_id, message = self.client.create_authn_request(
            destination, sign=signed and binding == POST, sign_alg=SIG_RSA_SHA256, digest_alg=DIGEST_SHA256, **options
        )
        return self.send(request_id, str(message), destination, binding, signed, relay_state)

    def send(self, request_id, message, destination, binding=REDIRECT, signed=False, relay_state="back to work"):
        """Puts an AuthnRequest, pysaml2's or one of a test's own, on its way."""
        http = self.client.apply_binding(
            binding, message, destination, relay_state=relay_state, sign=signed and binding == REDIRECT, sigalg=SIG_RSA_SHA256
        )
        if binding == REDIRECT:
            return Sent(request_id, binding, dict(http["headers"])["Location"], {}, relay_state)
        fields = {"SAMLRequest": base64.b64encode(message.encode()).decode(), **({"RelayState": relay_state} if relay_state else {})}
        return Sent(request_id, binding, destination, fields, relay_state)

    def receive(self, page, request=None):
        """What pysaml2 says to the answer on a page; raises what pysaml2 raises when it is wrong or an error status."""
        form = page.answer
        assert form, f"no SAML answer at {page.url} ({page.status}): {page.text[:600]}"
        assert form.action == self.acs, f"the answer goes to {form.action}, not to {self.acs}"
        assert form.fields.get("RelayState") == (request.relay_state if request else form.fields.get("RelayState"))
        outstanding = {request.id: "/"} if request else {}
        return self.client.parse_authn_request_response(form.fields["SAMLResponse"], POST, outstanding)


def response_xml(page):
    """The response on a page as it travels."""
    assert page.answer, f"no SAML answer at {page.url} ({page.status}): {page.text[:600]}"
    return base64.b64decode(page.answer.fields["SAMLResponse"]).decode()


def sso(browser, request, username=None, password=None):
    """Brings a request to Linkspan; signs in when a name is given, and then insists that it was asked for."""
    page = request.go(browser)
    return browser.sign_in(page, username, password) if username else page

