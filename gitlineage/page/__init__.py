"""
What people look at: one self-contained HTML file of a campaign, and the same page on live data.

Start with `report.report`, which puts the file together: the page's own scripts and styles (``app/``), the vendored
libraries (``vendor/``, made by ``scripts/vendor``), and the data, compressed: `columns` has the trials, `contents` the
files of those whose diffs are shown. Nothing in it is ever fetched from anywhere. Imports `store` and what is below.
"""
