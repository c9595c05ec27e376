dure_fuzz(openapi tools schema)
dure_fuzz(tool_file tools)
dure_fuzz(mcp tools)
