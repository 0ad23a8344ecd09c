"""Settings of Sphinx; ``python docs/build.py`` builds the site."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_extensions")]

project = "utsuroi"
author = "the utsuroi authors"
project_copyright = author
language = "en"
highlight_language = "bash"
smartquotes = False  # two hyphens are an option

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "from_source"]
exclude_patterns = ["_extensions"]

myst_enable_extensions = ["colon_fence", "deflist", "html_image"]
myst_heading_anchors = 4
copybutton_prompt_text = "$ "

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
nitpick_ignore_regex = [("py:.*", ".*")]  # types of NumPy and the standard library have no page here

html_theme = "furo"
html_title = "utsuroi"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#9a5b13", "color-brand-content": "#9a5b13"},
    "dark_css_variables": {"color-brand-primary": "#f0b35c", "color-brand-content": "#f0b35c"},
}
html_copy_source = False
html_show_sphinx = False
