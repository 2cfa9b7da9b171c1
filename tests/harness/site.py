"""A service provider that a real browser can visit: pysaml2 behind a small web server on 127.0.0.1.

To the browser 127.0.0.1 and the identity provider's localhost are two sites, so SameSite and CSP are put to a real test.
"""

import base64
import html
import http.server
import threading
from urllib.parse import parse_qs, urlsplit

from harness.sp import POST, REDIRECT, ServiceProvider


class Site:
    """Start pages `/redirect` and `/post` begin a sign-on; `/acs` shows what pysaml2 made of the answer."""

    def __init__(self, keys, idp_metadata, name="site", **options):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.site = self
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.sp = ServiceProvider(name, keys, idp_metadata, acs=f"{self.url}/acs", **options)
        self.requests = {}
        self.origins = []
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = urlsplit(self.path).path
        site = self.server.site
        if path == "/redirect":
            request = site.sp.request(REDIRECT, relay_state="from the site")
            site.requests[request.id] = request
            self.send_response(302)
            self.send_header("Location", request.url)
            self.end_headers()
        elif path == "/post":
            request = site.sp.request(POST, relay_state="from the site")
            site.requests[request.id] = request
            fields = "".join(f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in request.fields.items())
            self.page(200, f'<form method="post" action="{html.escape(request.url)}">{fields}<button>Go</button></form>')
        else:
            self.page(200, "<p>A site.</p>")

    def do_POST(self):
        site = self.server.site
        site.origins.append(self.headers.get("Origin"))
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        try:
            outstanding = {request_id: "/" for request_id in site.requests}
            told = site.sp.client.parse_authn_request_response(form["SAMLResponse"][0], POST, outstanding)
            text = f"Signed in as {told.ava['mail'][0]}, relay state {form.get('RelayState')}"
        except Exception as error:
            text = f"Refused: {error!r} {base64.b64decode(form.get('SAMLResponse', [''])[0])!r}"
        self.page(200, f"<p id='told'>{html.escape(text)}</p>")

    def page(self, status, body):
        content = f"<!doctype html><title>Site</title>{body}".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass
