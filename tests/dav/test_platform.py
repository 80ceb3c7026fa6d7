"""The Platform port: which addresses of the host it uses."""

from __future__ import annotations

from plugin.adapters.appapi import AppApi, AppApiPlatform
from plugin.adapters.ocs_calls import OcsCalls
from tests.dav.scripted import scripted
from tests.dav.test_directory import enveloped


def test_what_the_second_version_put_is_removed_by_the_first_since_the_second_knows_no_removal() -> None:
    with scripted() as script:
        script.answers = [enveloped(b"[]")]
        platform = AppApiPlatform(OcsCalls(script.url, AppApi("s", "1")))
        for what in ("v2/ui/files-actions-menu", "v1/ui/top-menu"):
            platform.put_entry(what, {"name": "workflow"})
            platform.remove_entry(what, {"name": "workflow"})
        assert [(method, path.partition("/api/")[2].partition("?")[0]) for method, path, *_ in script.seen] == [
            ("POST", "v2/ui/files-actions-menu"),
            ("DELETE", "v1/ui/files-actions-menu"),
            ("POST", "v1/ui/top-menu"),
            ("DELETE", "v1/ui/top-menu"),
        ]
