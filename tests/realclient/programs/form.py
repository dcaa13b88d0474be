"""An MCP server with one tool, `ask`: it asks the user for a name (`elicitation/create`) and returns the answer."""
import json
import sys

TOOL = {"name": "ask", "description": "asks the user", "inputSchema": {"type": "object", "properties": {}}}
FORM = {"message": "What is your name?",
        "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}}


def main() -> None:
    asking = None
    for line in sys.stdin:
        message = json.loads(line)
        match message.get("method"):
            case "initialize":
                version = message["params"]["protocolVersion"]
                about = {"name": "form", "version": "1"}
                say(message["id"], {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about})
            case "tools/list":
                say(message["id"], {"tools": [TOOL]})
            case "tools/call":
                asking = message["id"]
                write({"id": "form", "method": "elicitation/create", "params": FORM})
            case None if message.get("id") == "form":
                answer = json.dumps(message.get("result") or message.get("error"))
                say(asking, {"content": [{"type": "text", "text": answer}]})
            case _ if "id" in message:
                say(message["id"], {})


def say(request: object, result: dict) -> None:
    write({"id": request, "result": result})


def write(message: dict) -> None:
    print(json.dumps({"jsonrpc": "2.0"} | message), flush=True)


if __name__ == "__main__":
    main()
