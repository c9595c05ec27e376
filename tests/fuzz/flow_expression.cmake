dure_fuzz(flow_expression flows)
