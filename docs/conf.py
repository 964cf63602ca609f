"""How the documentation is built: `python -m sphinx -W -b html docs docs/_build/html`, with the extra `docs`.

Warnings are errors, and nothing is asked of the network. Code cells of the pages run while they are read, each page in
an empty folder; notebooks show the outputs that they were committed with. With `-t quick` the report of the shipped
study is left out, which takes half of the time.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT)]
os.environ["PYTHONPATH"] = str(ROOT)  # what the pages import is what stands beside them
os.environ["IPYTHONDIR"] = str(HERE / "ipython")  # figures of pages as SVG

import borrowed  # noqa: E402

import wagegap  # noqa: E402

project = "wagegap"
author = "The wagegap developers"
release = version = wagegap.__version__
language = "en"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "ipython", "**/.ipynb_checkpoints"]
default_role = "code"
smartquotes = False

myst_enable_extensions = ["colon_fence", "attrs_inline"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_excludepatterns = ["**/generated/notebooks/*"]
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_timeout = 120
nb_merge_streams = True
nb_code_prompt_show = "Code"
nb_code_prompt_hide = "Hide the code"

autosummary_generate = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
add_module_names = False
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "furo"
html_title = f"wagegap {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["generated/pages"]
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1b4f72", "color-brand-content": "#1b5e8c"},
    "dark_css_variables": {"color-brand-primary": "#8ec5ea", "color-brand-content": "#8ec5ea"},
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def setup(app: Sphinx) -> None:
    """Bring in what lives elsewhere, and let links to it lead to where it stands here."""
    borrowed.fetch_pages()
    if app.tags.has("quick"):
        borrowed.leave_report_out()
    else:
        borrowed.write_report()
    app.connect("source-read", borrowed.relink)
