"""A real browser for tests: Debian's Chromium by Playwright, its network cut; what it says and asks for is kept."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NO_CHROMIUM = "Chromium is not installed (apt-get install chromium)"


class Seen:
    """
    What a page did.

    Args:
        page: Playwright's page.
    """

    def __init__(self, page: Any) -> None:
        self.page = page
        page.set_default_timeout(15_000)
        self.asked: list[str] = []
        self.said: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))

    def open(self, file: Path, view: str = "") -> None:
        """Open a report at a view."""
        self.page.goto(f"file://{file}{view}")
        self.page.wait_for_selector("#top nav")

    def go(self, view: str) -> None:
        """Go to a view and wait until it is there."""
        self.page.evaluate("view => (location.hash = view)", view)
        self.page.wait_for_function(
            "view => document.getElementById('main').dataset.view === view", arg=view.split("/")[0]
        )

    def text(self, selector: str) -> str:
        """Return the text of an element, whatever its layout."""
        found: str = self.page.eval_on_selector(selector, "node => node.textContent")
        return found

    def data(self) -> set[str]:
        """Return every text of a trial that is in the page, as it is there."""
        return set(self.page.eval_on_selector_all("bdi", "nodes => nodes.map((node) => node.textContent)"))

    def check_quiet(self, *files: Path) -> None:
        """Fail where the page asked for anything but these files, or said anything."""
        assert self.said == []
        known = {f"file://{file}" for file in files}
        assert {url.split("#")[0] for url in self.asked if not url.startswith("data:")} <= known


@contextmanager
def browsing() -> Iterator[Callable[..., Seen]]:
    """Start a browser, and return what opens windows of it that have no network."""
    from playwright.sync_api import sync_playwright

    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=root)

        def window(**options: Any) -> Seen:
            made = {"offline": True, "viewport": {"width": 1280, "height": 860}, **options}
            return Seen(browser.new_context(**made).new_page())

        try:
            yield window
        finally:
            browser.close()
