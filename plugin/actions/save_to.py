"""Where the results of a flow will go: checked when it is launched, in its creator's name."""

from __future__ import annotations

from plugin.actions.context import Context
from plugin.flow.errors import Invalid
from plugin.flow.model import CREATOR, Personal, SaveMode, SaveTo

OURS = ".flows"


def save_to(ctx: Context, user: str, mode: SaveMode, folder: str | None) -> SaveTo:
    """``folder``: a path of the user's. Raises: Invalid: field-missing, no-such-folder, folder-read-only."""
    if mode is not SaveMode.FOLDER:
        return SaveTo(mode, with_evidence=True)
    if folder is None:
        raise Invalid("save.folder", "field-missing")
    parts = [part for part in folder.split("/") if part]
    if any(part in (".", "..", OURS) or "\0" in part for part in parts):
        raise Invalid("save.folder", "no-such-folder")
    info = ctx.files.stat(user, "/".join(parts))
    if info is None or not info.is_folder:
        raise Invalid("save.folder", "no-such-folder")
    if not info.can_write:
        raise Invalid("save.folder", "folder-read-only")
    return SaveTo(mode, with_evidence=True, folder_id=info.file_id, folder=Personal(CREATOR, info.path))
