from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    base_url="http://127.0.0.1:3000/v1",
    api_key="any",
    model="gemini-3.5-flash",
)
print(model.invoke("Why is the sky blue?").content)
