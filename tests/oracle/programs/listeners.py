"""Listeners and a runnable of one's own."""

from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda


class Double(Runnable[int, int]):
    def invoke(self, input: int, config: RunnableConfig | None = None, **kwargs) -> int:
        return input * 2


def show(run) -> None:
    print(run.name, run.inputs, run.outputs, run.error)


listened = RunnableLambda(lambda value: value + 1, name="plus one").with_listeners(
    on_start=show, on_end=show
)
pipeline = Double() | listened | Double()
print(pipeline.invoke(3))
print(pipeline.batch([1, 2], {"max_concurrency": 1}))
print(Double().get_name(), [type(step).__name__ for step in pipeline.steps])
