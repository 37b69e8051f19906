include $(sort $(wildcard $(BR2_EXTERNAL_CAUSEWAY_PATH)/package/*/*.mk))
