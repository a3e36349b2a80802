"""Keys of cached entries. Each begins with its user, so that an account never sees what another one loaded."""

from __future__ import annotations

import hashlib
import os
import pathlib
import secrets

SALT_FILE = "partition.key"
SALT_BYTES = 32
# Of the values under the keys. It changes with their form, so that no version of the add-on reads another's.
FORMAT = 2


class Keys:
    """The keys of one user at one address."""

    def __init__(self, salt: bytes, api_url: str, token: str) -> None:
        """Use a salt of this installation, so that a key says nothing about the token it is made of."""
        account = f"{FORMAT}:{len(api_url)}:{api_url}{token}".encode()
        self.partition = hashlib.blake2b(account, key=salt, digest_size=16).hexdigest()

    def projects(self, project_type: str) -> str:
        """Return the key of a list of projects."""
        return f"{self.partition}/projects/{project_type}"

    def project(self, slug: str) -> str:
        """Return the key of a project with its seasons."""
        return f"{self.partition}/project/{slug}"

    def episode(self, guid: str) -> str:
        """Return the key of an episode's description."""
        return f"{self.partition}/episode/{guid}"

    def watch(self, season_id: str) -> str:
        """Return the key of the user's state in a season."""
        return f"{self.partition}/watch/{season_id}"

    def resume(self, first: int, after: str) -> str:
        """Return the key of a page of what the user was watching."""
        return f"{self.partition}/resume/{first}/{after}"

    @property
    def state_tag(self) -> str:
        """The tag of everything that a change of the user's state makes wrong."""
        return f"{self.partition}/state"


def installation_salt(folder: str) -> bytes:
    """Return the salt in a folder, made if it is missing. Without a writable folder it is a new one each time."""
    path = pathlib.Path(folder) / SALT_FILE
    made = secrets.token_bytes(SALT_BYTES)
    own = path.with_name(f"{SALT_FILE}.{secrets.token_hex(4)}")
    try:
        if not path.exists():
            own.touch(mode=0o600)
            own.write_bytes(made)
            _publish(own, path)
        salt = path.read_bytes()
    except OSError:
        return made
    return salt if len(salt) == SALT_BYTES else made


def _publish(own: pathlib.Path, path: pathlib.Path) -> None:
    """Give a file its name unless another run was first: keys of both must be equal."""
    try:
        os.link(own, path)
    except FileExistsError:
        pass
    except OSError:
        # A file system without links.
        os.replace(own, path)
        return
    own.unlink()
