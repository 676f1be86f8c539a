"""Base class and field types of all parameter models."""

import json
from typing import Annotated, Any, get_origin
from unicodedata import category

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}  # control characters, surrogates, line and paragraph separators

# Counts are far below the bound; above it torch and NumPy overflow.
PositiveInt = Annotated[int, Field(gt=0, lt=2**31)]
LearningRate = Annotated[float, Field(gt=0, le=1e30)]  # the optimizer's update has to fit into float32
Fraction = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]


class Block(BaseModel):
    """A block of parameters; immutable, without unknown parameters.

    Values from `--params` are strings, which are converted to the type of the field; `null` becomes None.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def convert_strings(cls, value: Any, info: ValidationInfo) -> Any:
        """Convert strings to what the field expects."""
        assert info.field_name is not None
        expected = cls.model_fields[info.field_name].annotation
        if isinstance(value, bool) and expected is not bool:
            raise ValueError("a boolean is not allowed here")
        if not isinstance(value, str):
            return value
        if any(category(character) in UNPRINTABLE for character in value):
            raise ValueError("expected UTF-8 without control characters")
        if "${" in value or value == "???":
            raise ValueError("expected a value: the shell does not expand variables in single quotes")
        if value == "null":
            return None
        if value.startswith("[") and get_origin(expected) in {list, tuple}:
            try:
                return json.loads(value)
            except (ValueError, RecursionError):
                raise ValueError("expected a list such as [1,2]") from None
        return value
