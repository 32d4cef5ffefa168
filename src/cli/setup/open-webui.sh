export ENABLE_OLLAMA_API=false
export OPENAI_API_BASE_URL=http://127.0.0.1:3000/v1
export OPENAI_API_KEY=any
open-webui serve --port 8080
