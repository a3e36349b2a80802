"""The search for secrets in what a program has shown, in every spelling they travel in."""

import base64
import urllib.parse

# A shorter one would be found in ordinary words.
SHORTEST_SECRET = 5


def spellings(secret):
    """The ways a secret could be written."""
    plain = secret.encode()
    yield secret
    yield urllib.parse.quote(secret, safe="")
    yield "".join(f"%{byte:02x}" for byte in plain)
    yield plain.hex()
    yield base64.b64encode(plain).decode().rstrip("=")


def found(secrets, shown):
    """Where which secret shows: pairs of a place and the line, with the secret itself taken out."""
    leaks = []
    # Once, and not for every spelling: some texts are a whole database.
    lowered = {place: text.lower() for place, text in shown.items()}
    for secret in secrets:
        assert len(secret) >= SHORTEST_SECRET, "too short to be searched for"
        for spelling in dict.fromkeys(spellings(secret)):
            wanted = spelling.lower()
            for place, text in shown.items():
                at = lowered[place].find(wanted)
                if at >= 0:
                    around = text[max(0, at - 80) : at] + "<secret>" + text[at + len(spelling) :][:40]
                    leaks.append((place, around))
    return leaks
