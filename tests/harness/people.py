"""The people of the tests."""

PASSWORD = "correct horse battery staple"


def add_people(server):
    for name, given, group in (("alice", "Alice", "staff"), ("bob", "Bob", "students")):
        options = ["--email", f"{name}@example.org", "--display-name", f"{given} Example", "--group", group]
        server.add_user(name, PASSWORD, *options, "--attr", f"givenName={given}", "--attr", "sn=Example")
