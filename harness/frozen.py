"""The base of every value that crosses a module boundary: frozen, strict about keys, free of NaN and infinity."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable value. Unknown keys, NaN and infinities are refused; sequences are tuples."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())
