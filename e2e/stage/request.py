"""A request as a client sent it, and an answer as it came over the wire, nothing decoded."""

import dataclasses
import gzip
import http.client
import urllib.parse
import zlib


@dataclasses.dataclass(frozen=True)
class Request:
    """Method, target and headers, without those of the connection."""

    method: str
    target: str
    headers: tuple = ()

    @property
    def path(self):
        """The target without its query."""
        return self.target.partition("?")[0]

    def with_header(self, name, value):
        """The same request with this header instead of its own."""
        others = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
        return dataclasses.replace(self, headers=(*others, (name, value)))

    def send(self, url):
        """Asks `url` exactly this, on a connection of its own."""
        host = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(host.hostname, host.port, timeout=30)
        try:
            connection.putrequest(self.method, self.target, skip_accept_encoding=True)
            for name, value in self.headers:
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return Answer(answer.status, tuple(answer.getheaders()), answer.read())
        finally:
            connection.close()


@dataclasses.dataclass(frozen=True)
class Answer:
    """Status, headers and body."""

    status: int
    headers: tuple
    body: bytes

    def header(self, name):
        """All values of a header, in order."""
        return [value for other, value in self.headers if other.lower() == name.lower()]

    def is_packed(self):
        """Whether the body has a content coding."""
        return bool(self.header("content-encoding"))

    def content(self):
        """The body without its content coding."""
        coding = ",".join(self.header("content-encoding")).lower()
        if coding == "gzip" and self.body:
            return gzip.decompress(self.body)
        if coding == "deflate" and self.body:
            return zlib.decompress(self.body)
        return self.body
