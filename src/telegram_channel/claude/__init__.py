"""The session side: the MCP server that Claude Code talks to over stdin and stdout."""
