dure_fuzz(flow_condition flows)
