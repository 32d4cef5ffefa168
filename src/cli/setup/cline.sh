cline auth --provider openai --apikey any \
  --baseurl http://127.0.0.1:3000/v1 --modelid gemini-3.5-flash
