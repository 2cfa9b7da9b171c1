"""A browser without JavaScript: cookies, redirects, and forms that are sent with the headers a browser sends."""

import html.parser
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests


@dataclass
class Form:
    action: str
    method: str
    fields: dict


@dataclass
class Page:
    status: int
    url: str
    headers: dict
    text: str
    forms: list

    def form(self, having):
        """The first form with a field of that name, or None."""
        return next((form for form in self.forms if having in form.fields), None)

    @property
    def sign_in(self):
        return self.form("password")

    @property
    def answer(self):
        """The self-posting form with a SAML response, or None."""
        return self.form("SAMLResponse")


class _Forms(html.parser.HTMLParser):
    def __init__(self, url, text):
        super().__init__()
        self.url, self.forms = url, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form":
            action = urljoin(self.url, given.get("action") or "")
            self.forms.append(Form(action, (given.get("method") or "get").lower(), {}))
        elif tag == "input" and self.forms and given.get("name") and given.get("type") not in ("submit", "checkbox", "radio"):
            self.forms[-1].fields[given["name"]] = given.get("value") or ""


def origin_of(url):
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class Browser:
    def __init__(self):
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, url, headers=None):
        return self._page(self.session.get(url, headers=headers, timeout=30))

    def post(self, url, fields, origin, headers=None):
        """Sends a form from a page of `origin`; None sends no Origin header."""
        headers = {**({"Origin": origin} if origin else {}), **(headers or {})}
        return self._page(self.session.post(url, data=fields, headers=headers, timeout=30))

    def submit(self, page, form, **fields):
        """Fills in and sends a form of a page."""
        return self.post(form.action, {**form.fields, **fields}, origin_of(page.url))

    def sign_in(self, page, username, password):
        assert page.sign_in, f"no sign-in form at {page.url} ({page.status}): {page.text[:400]}"
        return self.submit(page, page.sign_in, username=username, password=password)

    @staticmethod
    def _page(answer):
        text = answer.text
        return Page(answer.status_code, answer.url, answer.headers, text, _Forms(answer.url, text).forms if "<form" in text else [])
