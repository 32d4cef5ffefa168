from agents import Agent, AsyncOpenAI, Runner, function_tool
from agents import set_default_openai_client, set_tracing_disabled

set_default_openai_client(AsyncOpenAI(base_url="http://127.0.0.1:3000/v1", api_key="any"))
set_tracing_disabled(True)  # else it sends what happens to OpenAI


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"It is sunny in {city}."


agent = Agent(name="Weather", model="gemini-3.5-flash", tools=[get_weather])
print(Runner.run_sync(agent, "How is the weather in Paris?").final_output)
