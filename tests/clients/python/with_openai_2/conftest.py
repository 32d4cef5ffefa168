import os

# Read when the packages are imported: no price list is fetched from the network.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
