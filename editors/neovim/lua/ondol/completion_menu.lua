--- Detects whether a completion menu is open: Neovim's own, nvim-cmp's or blink.cmp's. Loads none of these plugins.
local M = {}

local function call_first(module, names)
  local loaded = package.loaded[module]
  if type(loaded) ~= 'table' then
    return false
  end
  for _, name in ipairs(names) do
    local found, visible = pcall(function()
      return loaded[name]()
    end)
    if found then
      return visible == true
    end
  end
  return false
end

--- Whether a completion menu is open.
---@return boolean
function M.visible()
  return vim.fn.pumvisible() == 1
    or call_first('cmp', { 'visible' })
    or call_first('blink.cmp', { 'is_menu_visible', 'is_visible' })
end

local watched = setmetatable({}, { __mode = 'k' })

--- Calls `on_change` whenever a menu opens or closes.
---@param group integer augroup
---@param on_change fun()
function M.watch(group, on_change)
  local later = vim.schedule_wrap(on_change)
  vim.api.nvim_create_autocmd({ 'CompleteChanged', 'CompleteDone' }, { group = group, callback = later })
  vim.api.nvim_create_autocmd('User', {
    group = group,
    pattern = { 'BlinkCmpMenuOpen', 'BlinkCmpMenuClose', 'BlinkCmpShow', 'BlinkCmpHide' },
    callback = later,
  })
  -- nvim-cmp is often loaded at the first insertion.
  vim.api.nvim_create_autocmd('InsertEnter', {
    group = group,
    callback = vim.schedule_wrap(function()
      local cmp = package.loaded['cmp']
      local event = type(cmp) == 'table' and rawget(cmp, 'event')
      if event and not watched[event] then
        watched[event] = true
        event:on('menu_opened', later)
        event:on('menu_closed', later)
      end
    end),
  })
end

--- The names of the loaded menu plugins.
---@return string[]
function M.loaded()
  return vim.tbl_filter(function(name)
    return package.loaded[name] ~= nil
  end, { 'cmp', 'blink.cmp' })
end

return M
