# Appliance of the CE1100 class, assumed to be a UCS C220 M4 server inside. DMI texts, drivers and the order
# of the ports are assumptions: nobody has looked at a real one yet.
name: CE1100
verified on hardware: no
match sys_vendor: Cisco*
match product_name: CE1100*
match product_name: UCSC-C220-M4*
lan1: order 1 of igb ixgbe i40e
lan2: order 2 of igb ixgbe i40e
serial: ttyS0 115200
registrations: 2500
calls: 150
drivers: igb ixgbe megaraid_sas ahci iTCO_wdt
