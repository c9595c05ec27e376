dure_fuzz(json_check schema)
