"""mlstore: a git-style, content-addressed artifact store for machine-learning pipelines.

``mlstore.open(".").load("model.joblib", at="golden")`` deserialises a model only when its bytes are
exactly those of the golden pipeline. Names are loaded on first use: ``import mlstore`` costs nothing.
"""

from __future__ import annotations

from mlstore._lazy import lazy_names
from mlstore._version import __version__

TYPE_CHECKING = False  # the module of that name would take longer to load than 'mlstore --version' takes
if TYPE_CHECKING:
    from mlstore.api import Store, init, open  # noqa: A004 - the public name is `mlstore.open`
    from mlstore.errors import MlstoreError

__all__ = ["MlstoreError", "Store", "__version__", "init", "open"]

__getattr__ = lazy_names(
    __name__,
    {
        "MlstoreError": "mlstore.errors",
        "Store": "mlstore.api",
        "init": "mlstore.api",
        "open": "mlstore.api",
    },
)
